import type { Problems } from './problems.ts';
import { block, optional, required, type Section } from './schema.ts';
import { path, spiffeId, url } from './value-addresses.ts';
import { listOf } from './value-collections.ts';

/** `~/.config/fettle/client.hcl`: how the command line reaches a coordinator. Flags and environment come before it. */
export type ClientProfile = {
  readonly addresses: readonly string[];
  readonly coordinatorId: string;
  readonly certificate: string | null;
  readonly key: string | null;
  readonly bundle: string;
};

export const clientFile = block({
  doc: "The command line's way to a coordinator. Flags and environment variables come before what stands here.",
  attributes: {
    addresses: required(
      listOf(url, { min: 1, max: 16 }),
      'Coordinators, tried in this order, e.g. `["https://c1.example.com:7443"]`.',
    ),
    coordinator_id: required(spiffeId, 'The SPIFFE id that the coordinator must show.'),
    certificate: optional(path, 'PEM file: your own SVID. Without it you are anonymous.'),
    key: optional(path, 'PEM file: its private key.'),
    bundle: required(path, "PEM file: the authorities of the coordinator's trust domain."),
  },
});

export function clientOf(section: Section<typeof clientFile>, problems: Problems): ClientProfile | null {
  if (section.values === null) return null;
  const { addresses, coordinator_id: coordinatorId, certificate, key, bundle } = section.values;
  if ((certificate === null) !== (key === null)) {
    const missing = certificate === null ? 'certificate' : 'key';
    problems.error(section.place, missing, 'is missing; write certificate and key, or neither');
    return null;
  }
  return { addresses, coordinatorId: coordinatorId.text, certificate, key, bundle };
}
