import { join } from 'node:path';
import {
  allowBlock,
  allowOf,
  checkNames,
  cleanBlock,
  cleanOf,
  neverBlock,
  neverOf,
  type AllowRule,
  type CleanRule,
  type NeverRule,
} from './agent-rules.ts';
import {
  everyOne,
  identityBlock,
  identityOf,
  metricsBlock,
  metricsOf,
  agentTemporalBlock,
  temporalOf,
  type HostPort,
  type IdentityConfig,
  type TemporalConfig,
} from './connections.ts';
import type { Known } from './known.ts';
import type { Problems } from './problems.ts';
import {
  block,
  many,
  needed,
  one,
  optional,
  required,
  several,
  withDefault,
  type ReadOptions,
  type Section,
} from './schema.ts';
import type { SpiffeId } from './spiffe-id.ts';
import { type TokenSource, tokenSourceOf } from './token-source.ts';
import { path, spiffeId, url } from './value-addresses.ts';
import { listOf } from './value-collections.ts';
import { integer } from './value-types.ts';

export type HelperConfig = {
  /** Where systemd listens for it. */
  readonly socket: string;
  /** Of its ledger; root's alone. */
  readonly stateDir: string;
  /** This host's SPIFFE id, where the certificate's file is not root's; null = read from the certificate. */
  readonly spiffeId: string | null;
};

export type AgentConfig = {
  readonly identity: IdentityConfig;
  readonly temporal: TemporalConfig;
  /** `temporal { token_from = "coordinator" }`: whom to ask for Temporal's credential; null: nobody. */
  readonly tokens: TokenSource | null;
  readonly stateDir: string;
  /** `actions_dir`: root-owned command definitions for `exec`. */
  readonly actionsDir: string | null;
  /** `secrets_dir`: one file per `${secret.NAME}`. */
  readonly secretsDir: string | null;
  /** `coordinator { issuer, grant_keys = ["/etc/fettle/grant.pub"] }`: SPKI PEM, Ed25519; two during a rotation. */
  readonly issuer: string;
  readonly grantKeys: readonly string[];
  readonly allow: readonly AllowRule[];
  readonly never: readonly NeverRule[];
  readonly clean: readonly CleanRule[];
  /** `diagnostics_dir`, default `<state_dir>/diagnostics`, of the helper where there is one: bundles of `diagnostics.collect`. */
  readonly diagnosticsDir: string;
  /** `max_actions`: actions at once on this host, over all queues; default 4. */
  readonly maxActions: number;
  /** `brake_file`, default /etc/fettle/stop: while it exists nothing new is done. */
  readonly brakeFile: string;
  /** `helper { socket }`: the root helper that does what changes the host; null = this process does it itself. */
  readonly helper: HelperConfig | null;
  /** `metrics { listen }`; null = no port. */
  readonly metricsListen: HostPort | null;
};

export const agentFile = block({
  doc: 'The agent: what it may do on its own host, and whose orders it takes. Its node name, type and datacenter come from its certificate.',
  attributes: {
    state_dir: withDefault(
      path,
      'Folder of the ledger of what was done. It must outlive restarts and reboots.',
      '/var/lib/fettle/agent',
      '"/var/lib/fettle/agent"',
    ),
    actions_dir: optional(path, 'Folder of command definitions for the action `exec`, owned by root.'),
    secrets_dir: optional(path, 'Folder with one file for each `${secret.NAME}`.'),
    max_actions: withDefault(integer(1, 1000), 'Actions at once on this host, over all queues.', 4, '4'),
    brake_file: withDefault(
      path,
      'While this file exists the host begins nothing new, whatever a coordinator says.',
      '/etc/fettle/stop',
      '"/etc/fettle/stop"',
    ),
    diagnostics_dir: optional(
      path,
      'Folder of the bundles of `diagnostics.collect`. Default: `diagnostics` in `state_dir`, of the helper where there is one.',
    ),
  },
  blocks: {
    identity: needed(identityBlock),
    temporal: needed(agentTemporalBlock),
    coordinator: needed(
      block({
        doc: 'Whose orders are obeyed.',
        attributes: {
          issuer: required(spiffeId, 'The SPIFFE id in whose name coordinators sign.'),
          grant_keys: required(
            listOf(path, { min: 1, max: 8 }),
            'PEM files: Ed25519 public keys (SPKI). Two during a rotation.',
          ),
          addresses: withDefault(
            listOf(url, { max: 16 }),
            'URLs of all coordinators, for `temporal { token_from = "coordinator" }`; each must prove the id that `issuer` names.',
            [],
            '[]',
          ),
        },
      }),
    ),
    allow: several(allowBlock),
    never: several(neverBlock),
    clean: many(cleanBlock),
    helper: one(
      block({
        doc: 'The root helper that does whatever changes the host (`fettle agent-helper`, started by systemd for each order). Without this block the agent does it itself and needs the power for it.',
        attributes: {
          socket: withDefault(
            path,
            'The socket that systemd listens on for the helper.',
            '/run/fettle/agent-helper.sock',
            '"/run/fettle/agent-helper.sock"',
          ),
          state_dir: withDefault(
            path,
            "Folder of the helper's ledger, which root alone can read. It must outlive restarts and reboots.",
            '/var/lib/fettle/helper',
            '"/var/lib/fettle/helper"',
          ),
          spiffe_id: optional(
            spiffeId,
            "This host's SPIFFE id. Needed where others than root can write the certificate's file: the helper then believes this.",
          ),
        },
      }),
    ),
    metrics: one(metricsBlock),
  },
});

export function agentOf(
  section: Section<typeof agentFile>,
  { problems }: ReadOptions,
  known: Known,
): AgentConfig | null {
  const { blocks } = section;
  const identity = identityOf(blocks.identity[0]);
  const temporal = temporalOf(blocks.temporal[0], problems);
  const [orderers] = blocks.coordinator;
  const coordinator = orderers?.values;
  const asked = { addresses: coordinator?.addresses ?? [], written: orderers?.given.get('addresses') };
  const tokens = tokenSourceOf({ temporal: blocks.temporal[0], ...asked }, problems);
  const rules = rulesOf(section, problems, known);
  if (blocks.metrics[0]?.values === null || blocks.helper[0]?.values === null) return null;
  if (section.values === null || identity === null || temporal === null || rules === null || !coordinator) return null;
  const {
    state_dir: stateDir,
    actions_dir: actionsDir,
    secrets_dir: secretsDir,
    max_actions: maxActions,
  } = section.values;
  const { brake_file: brakeFile, diagnostics_dir: diagnosticsDir } = section.values;
  const orders = { issuer: coordinator.issuer.text, grantKeys: coordinator.grant_keys };
  const metricsListen = metricsOf(blocks.metrics[0]);
  const helper = helperOf(blocks.helper[0]?.values ?? null);
  return {
    identity,
    temporal,
    tokens,
    stateDir,
    actionsDir,
    secretsDir,
    ...orders,
    ...rules,
    diagnosticsDir: diagnosticsDir ?? join(helper?.stateDir ?? stateDir, 'diagnostics'),
    maxActions,
    brakeFile,
    helper,
    metricsListen,
  };
}

type HelperValues = { readonly socket: string; readonly state_dir: string; readonly spiffe_id: SpiffeId | null };
const helperOf = (values: HelperValues | null): HelperConfig | null =>
  values === null
    ? null
    : { socket: values.socket, stateDir: values.state_dir, spiffeId: values.spiffe_id?.text ?? null };

type Rules = Pick<AgentConfig, 'allow' | 'never' | 'clean'>;

function rulesOf({ blocks }: Section<typeof agentFile>, problems: Problems, known: Known): Rules | null {
  const allow = everyOne(blocks.allow.map(allowOf));
  const never = everyOne(blocks.never.map(neverOf));
  const clean = everyOne(blocks.clean.map((rule) => cleanOf(rule, problems)));
  for (const rule of allow ?? []) checkNames('allow', rule, known, problems);
  for (const rule of never ?? []) checkNames('never', rule, known, problems);
  return allow === null || never === null || clean === null ? null : { allow, never, clean };
}
