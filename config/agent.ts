import type { HostPort, IdentityConfig, TemporalConfig } from './connections.ts';
import type { Place } from './problem.ts';

/** `allow "systemd.restart" { args = { unit = "^web\\.service$" } }`: what this host lets a coordinator do at all. */
export type AllowRule = {
  readonly place: Place;
  /** An action's name, or `*`. */
  readonly action: string;
  /** Whole-value regular expressions by argument name; an argument not named here is free, one named here must be present. */
  readonly args: Readonly<Record<string, string>>;
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
  /** `metrics { listen }`; null = no port. */
  readonly metricsListen: HostPort | null;
};

/** One `command "NAME" { ... }` of an `actions.d/*.hcl` file: what `exec` may run on this host. */
export type CommandDefinition = {
  readonly place: Place;
  readonly name: string;
  /** Absolute program path first; `{input}` slots stand for whole or part arguments and are never split or expanded further. */
  readonly argv: readonly string[];
  readonly inputs: readonly { readonly name: string; readonly pattern: string }[];
  readonly timeoutMs: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
};
