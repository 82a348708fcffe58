import { didYouMean } from './did-you-mean.ts';
import {
  everyOne,
  identityBlock,
  identityOf,
  metricsBlock,
  metricsOf,
  temporalBlock,
  temporalOf,
  type HostPort,
  type IdentityConfig,
  type TemporalConfig,
} from './connections.ts';
import type { Known } from './known.ts';
import type { Place } from './problem.ts';
import { block, many, needed, one, optional, required, withDefault, type ReadOptions, type Section } from './schema.ts';
import type { SpiffeId } from './spiffe-id.ts';
import { path, spiffeId } from './value-addresses.ts';
import { listOf, mapOf } from './value-collections.ts';
import { inputName, name } from './value-names.ts';
import { integer, regex } from './value-types.ts';

/** `allow "systemd.restart" { args = { unit = "^web\\.service$" } }`: what this host lets a coordinator do at all. */
export type AllowRule = {
  readonly place: Place;
  /** An action's name, or `*`. */
  readonly action: string;
  /** Whole-value regular expressions by argument name; an argument not named here is free, one named here must be present. */
  readonly args: Readonly<Record<string, string>>;
};

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
  readonly stateDir: string;
  /** `actions_dir`: root-owned command definitions for `exec`. */
  readonly actionsDir: string | null;
  /** `secrets_dir`: one file per `${secret.NAME}`. */
  readonly secretsDir: string | null;
  /** `coordinator { issuer, grant_keys = ["/etc/fettle/grant.pub"] }`: SPKI PEM, Ed25519; two during a rotation. */
  readonly issuer: string;
  readonly grantKeys: readonly string[];
  readonly allow: readonly AllowRule[];
  /** `max_actions`: actions at once on this host, over all queues; default 4. */
  readonly maxActions: number;
  /** `brake_file`, default /etc/fettle/stop: while it exists nothing new is done. */
  readonly brakeFile: string;
  /** `helper { socket }`: the root helper that does what changes the host; null = this process does it itself. */
  readonly helper: HelperConfig | null;
  /** `metrics { listen }`; null = no port. */
  readonly metricsListen: HostPort | null;
};

const allowBlock = block({
  doc: 'What this host lets a coordinator do at all. Without any, nothing.',
  labels: [
    {
      name: 'action',
      doc: 'An action, e.g. `"systemd.restart"`, or `"*"`.',
      type: name('action', /^(?:\*|[a-z][a-z0-9_.-]*)$/, 'the name of an action, or "*"'),
    },
  ],
  attributes: {
    args: withDefault(
      mapOf(inputName, regex),
      'Regular expressions that the whole of an argument must match, by its name. One named here must be present; one not named here is free.',
      {},
      '{}',
    ),
  },
});

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
  },
  blocks: {
    identity: needed(identityBlock),
    temporal: needed(temporalBlock),
    coordinator: needed(
      block({
        doc: 'Whose orders are obeyed.',
        attributes: {
          issuer: required(spiffeId, 'The SPIFFE id in whose name coordinators sign.'),
          grant_keys: required(
            listOf(path, { min: 1, max: 8 }),
            'PEM files: Ed25519 public keys (SPKI). Two during a rotation.',
          ),
        },
      }),
    ),
    allow: many(allowBlock),
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
  const coordinator = blocks.coordinator[0]?.values;
  const allow = everyOne(blocks.allow.map(allowOf));
  if (known.actions !== undefined)
    for (const rule of allow ?? [])
      if (rule.action !== '*' && !Object.hasOwn(known.actions, rule.action))
        problems.error(
          rule.place,
          `allow[${JSON.stringify(rule.action)}]`,
          `there is no action ${rule.action}${didYouMean(rule.action, Object.keys(known.actions))}`,
        );
  if (blocks.metrics[0]?.values === null || blocks.helper[0]?.values === null) return null;
  if (section.values === null || identity === null || temporal === null || allow === null || !coordinator) return null;
  const {
    state_dir: stateDir,
    actions_dir: actionsDir,
    secrets_dir: secretsDir,
    max_actions: maxActions,
  } = section.values;
  const { brake_file: brakeFile } = section.values;
  const orders = { issuer: coordinator.issuer.text, grantKeys: coordinator.grant_keys };
  const metricsListen = metricsOf(blocks.metrics[0]);
  const helper = helperOf(blocks.helper[0]?.values ?? null);
  return {
    identity,
    temporal,
    stateDir,
    actionsDir,
    secretsDir,
    ...orders,
    allow,
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

function allowOf({ place, labels: [action = ''], values }: Section<typeof allowBlock>): AllowRule | null {
  return values === null ? null : { place, action, args: values.args };
}
