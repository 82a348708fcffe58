import { existsSync } from 'node:fs';
import type { Logger } from 'pino';
import type { AgentConfig, HelperConfig } from '../../config/agent.ts';
import type { CommandDefinition } from '../../config/commands.ts';
import { createActionHost } from '../action-host.ts';
import type { Programs } from '../actions/action.ts';
import { type AllowList, createAllowList } from '../allow-list.ts';
import { createAttempts } from '../attempts.ts';
import { createOrderVerifier, type OrderVerifier } from '../grants.ts';
import { readGrantKeys } from '../grant-keys.ts';
import type { Launcher } from '../launcher.ts';
import { type HostFacts, readHostFacts } from '../host-facts.ts';
import { openLedger } from '../ledger.ts';
import { endAfterBoot, worksOnHost } from '../left-at-work.ts';
import type { PerformerSetting } from '../order-job.ts';
import { ownProcess } from '../procfs.ts';
import { createHostTurns } from './host-turns.ts';
import { createProcessLauncher } from './process-launcher.ts';
import { createSystemdLauncher, type RunnerCommand } from './systemd-launcher.ts';

export type HelperDeps = {
  readonly version: string;
  /** Where they are not where Debian has them. */
  readonly programs?: Partial<Programs>;
  /** Default: read from this host. */
  readonly host?: HostFacts;
  readonly commands: readonly CommandDefinition[];
  /** Folder of the credentials that systemd gave the helper, handed on to what runs an action. */
  readonly credentials?: string | null;
  readonly log: Logger;
  /** This host's SPIFFE id, from files that root alone can write. */
  readonly id: string;
  /** Runs one attempt: its key is appended. */
  readonly runner: RunnerCommand;
  readonly systemdRun?: string;
  /** Default: whether systemd runs this host. */
  readonly systemd?: boolean;
};

/** All that one run of the helper works with; read anew for each order, so that a changed file holds from the next one on. */
export type Helper = Omit<PerformerSetting, 'slots' | 'launcher'> & {
  readonly id: string;
  readonly verifier: OrderVerifier;
  readonly allow: AllowList;
  readonly launcher: Launcher;
};

/** @throws Error when a key or an allow block is wrong; LedgerError when the ledger cannot be used. */
export async function openHelper(config: AgentConfig & { helper: HelperConfig }, deps: HelperDeps): Promise<Helper> {
  const { log, runner } = deps;
  const { allow, never, clean } = config;
  const rules = { allow, never, clean, commands: deps.commands };
  const host = createActionHost(config, () => rules, deps.host ?? readHostFacts(deps.version), deps.programs);
  const verifier = await createOrderVerifier(config.issuer, await readGrantKeys(config.grantKeys));
  const { stateDir } = config.helper;
  const ledger = await openLedger(stateDir);
  const owner = ownProcess();
  const systemd = deps.systemd ?? existsSync('/run/systemd/system');
  const programs = { systemdRun: deps.systemdRun ?? '/usr/bin/systemd-run', systemctl: host.systemctl };
  const launcher = systemd
    ? createSystemdLauncher(programs, runner, stateDir, deps.credentials ?? null)
    : createProcessLauncher(ledger, runner);
  const attempts = createAttempts({
    ledger,
    bootId: host.facts.bootId,
    owner,
    log,
    worksOn: (begun) => worksOnHost(begun, host),
    afterBoot: (begun) => endAfterBoot(begun, host),
    launcher,
  });
  return {
    id: deps.id,
    host,
    verifier,
    allow: createAllowList(config.allow, config.never),
    ledger,
    attempts,
    turns: createHostTurns(ledger, attempts),
    launcher,
    owner,
    brakeFile: config.brakeFile,
    secretsDir: config.secretsDir,
    log,
  };
}
