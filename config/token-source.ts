import type { agentTemporalBlock } from './connections.ts';
import type { HclValue } from './hcl/decode.ts';
import type { Problems } from './problems.ts';
import type { Section } from './schema.ts';

/** Whom an agent asks for its Temporal credential: every coordinator, so that losing one loses nothing. */
export type TokenSource = { readonly addresses: readonly string[] };

type Given = {
  readonly temporal: Section<typeof agentTemporalBlock> | undefined;
  readonly addresses: readonly string[];
  /** Where the addresses stand in the file. */
  readonly written: HclValue | undefined;
};

/** `temporal { token_from = "coordinator" }` and `coordinator { addresses }` go together; null: the credential comes from a file, or there is none. */
export function tokenSourceOf({ temporal, addresses, written }: Given, problems: Problems): TokenSource | null {
  const from = temporal?.given.get('token_from');
  if (temporal === undefined || from === undefined) {
    if (written !== undefined)
      problems.warn(
        written.place,
        'coordinator.addresses',
        'is not used without temporal { token_from = "coordinator" }; write that, or take this away',
      );
    return null;
  }
  const path = `${temporal.path}.token_from`;
  const file = temporal.given.get('api_key_file');
  if (file !== undefined)
    problems.error(file.place, `${temporal.path}.api_key_file`, 'stands together with token_from; keep one of the two');
  if (addresses.length === 0)
    problems.error(
      from.place,
      path,
      'needs to know where coordinators are; write coordinator { addresses = ["https://c1.example.com:7443"] }',
    );
  const plain = addresses.find((address) => !address.startsWith('https://'));
  if (plain !== undefined && written !== undefined)
    problems.error(
      written.place,
      'coordinator.addresses',
      `${plain} is no https URL, and a token is given for a certificate only; write https://`,
    );
  return { addresses };
}
