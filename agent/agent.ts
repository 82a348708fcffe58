import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { AgentConfig } from '../config/agent.ts';
import type { SvidSource } from '../identity/svid-source.ts';
import type { CommandDefinition } from '../config/commands.ts';
import { agentQueues, type Args, type NodePlace } from '../workflows/contract.ts';
import { ALL_ACTIONS } from './actions/all-actions.ts';
import { createActionHost } from './action-host.ts';
import type { ActionHost, Programs } from './actions/action.ts';
import { createActionSlots } from './action-slots.ts';
import { createActivities } from './activities.ts';
import { type AgentMetrics, createAgentMetrics, serveTokenMetric } from './agent-metrics.ts';
import { type Credential, keepCredential } from './credential.ts';
import { createAllowList } from './allow-list.ts';
import { type Attempts, createAttempts } from './attempts.ts';
import { createOrderVerifier } from './grants.ts';
import { type HostFacts, readHostFacts } from './host-facts.ts';
import { type Ledger, openLedger } from './ledger.ts';
import type { Begun } from './ledger-records.ts';
import { placeOf } from './node-place.ts';
import { createPerformer } from './perform.ts';
import { ownProcess } from './procfs.ts';
import { createReceiptSigner, type SvidHolder } from './receipts.ts';
import { type ConnectionState, superviseSessions, type SupervisorSetting } from './supervisor.ts';

export type AgentDeps = {
  /** This host's SVID; names the host's place in the fleet. */
  readonly svid: SvidHolder;
  /** What `exec` may run here. */
  readonly commands: readonly CommandDefinition[];
  readonly log: Logger;
  readonly metrics: Registry;
  /** Shown by `ping` and in receipts. */
  readonly version?: string;
  /** Where they are not where Debian has them. */
  readonly programs?: Partial<Programs>;
  /** Actions at work get this long to end by themselves when the agent stops, milliseconds; default 10 s. */
  readonly graceMs?: number;
  /** Default: read from this host. */
  readonly host?: HostFacts;
  /** The SVID with all that a TLS connection needs: for `temporal { token_from = "coordinator" }`. */
  readonly identity?: SvidSource;
};

export type Running = {
  readonly place: NodePlace;
  readonly state: () => ConnectionState;
  /** Resolves when Temporal first answered. */
  readonly connected: Promise<void>;
  /** Takes no more orders, lets actions end within the grace time, then ends them and puts that on record. May be called again. */
  readonly stop: () => Promise<void>;
};

const PRUNE_EVERY_MS = 3_600_000;
/** Above the cap on actions: settle, claim, ping, and orders that wait for a slot. */
const MORE_ORDERS = 64;

/**
 * Starts the agent of this host. Temporal may be away: it is looked for until it is there.
 * @throws Error when the SVID is no agent's, a grant key or an allow block is wrong, or the ledger cannot be used.
 */
export async function startAgent(config: AgentConfig, deps: AgentDeps): Promise<Running> {
  const place = placeOf(deps.svid.current().id);
  const log = deps.log.child({ node: place.node });
  const facts = deps.host ?? readHostFacts(deps.version ?? 'unknown');
  let credential: Credential | null = null;
  const { allow: allowed, never, clean } = config;
  const rules = { allow: allowed, never, clean, commands: deps.commands };
  const host = createActionHost(config, () => rules, facts, {
    ...deps.programs,
    tokenSeconds: () => tokenSeconds(credential),
  });
  const verifier = await createOrderVerifier(config.issuer, await Promise.all(config.grantKeys.map(readGrantKey)));
  const allow = createAllowList(config.allow, config.never);
  const ledger = await openLedger(config.stateDir);
  const owner = ownProcess();
  const attempts = createAttempts({
    ledger,
    bootId: facts.bootId,
    owner,
    log,
    worksOn: (begun) => worksOn(begun, host),
    afterBoot: async (begun) => ALL_ACTIONS.get(begun.action)?.afterBoot?.(begun, host),
  });
  const metrics = createAgentMetrics(deps.metrics);
  const slots = createActionSlots(config.maxActions, (used) => metrics.running.set(used));
  const { brakeFile, secretsDir } = config;
  const performer = createPerformer({ host, ledger, attempts, allow, slots, owner, brakeFile, secretsDir, log });
  const signer = createReceiptSigner(deps.svid);
  const stopping = new AbortController();
  const setting = { place, svid: deps.svid, facts, verifier, performer, attempts, ledger, signer, metrics, log };
  const activities = createActivities({ ...setting, stopping: stopping.signal });
  await attempts.adopt();
  credential = openCredential(config, deps, { facts, metrics, log });
  if (credential !== null) serveTokenMetric(deps.metrics, () => tokenSeconds(credential) ?? 0);
  if (config.allow.length === 0)
    log.warn('no allow block is configured: every action is refused; add allow blocks to the agent file');
  const housekeeping = keepHouse(ledger, metrics, log);
  const supervised: SupervisorSetting = {
    temporal: config.temporal,
    place,
    activities,
    credential,
    ordersAtOnce: config.maxActions + MORE_ORDERS,
    graceMs: deps.graceMs ?? 10_000,
    log,
    onChange: ({ connected }) => metrics.connected.set(connected ? 1 : 0),
  };
  const supervisor = superviseSessions(supervised);
  log.info(
    { queues: Object.values(agentQueues(place)), boot_id: facts.bootId, ledger_entries: ledger.size() },
    'agent started',
  );
  let stopped: Promise<void> | null = null;
  const stop = async (): Promise<void> => {
    stopping.abort();
    await supervisor.stop();
    await credential?.stop();
    clearInterval(housekeeping);
    await stopAttempts(attempts);
    log.info('agent stopped');
  };
  return {
    place,
    state: supervisor.state,
    connected: supervisor.connectedOnce,
    stop: () => (stopped ??= stop()),
  };
}

const tokenSeconds = (credential: Credential | null): number | null =>
  credential && Math.floor(credential.state().validMs / 1000);

/** Null: Temporal's credential is a file, or there is none. @throws Error */
function openCredential(
  { tokens, issuer }: AgentConfig,
  { identity }: AgentDeps,
  { facts, metrics, log }: { facts: HostFacts; metrics: AgentMetrics; log: Logger },
): Credential | null {
  if (tokens === null) return null;
  if (identity === undefined) throw new Error('tokens of coordinators are given for an SVID; none was handed over');
  return keepCredential({
    addresses: tokens.addresses,
    coordinatorId: issuer,
    identity,
    machineId: facts.machineId,
    log,
    onAnswer: (result) => metrics.tokenRenewals.inc({ result }),
  });
}

async function readGrantKey(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'error';
    throw new Error(`cannot read the grant key ${file} (${code}); copy the coordinators' public key there`, {
      cause: error,
    });
  }
}

/** Whether an action begun by an earlier run of the agent works on outside its processes. */
async function worksOn(begun: Begun, host: ActionHost): Promise<boolean> {
  const action = ALL_ACTIONS.get(begun.action);
  if (action === undefined || action.name === 'exec') return false;
  return action.prepare(begun.args as Args, host).worksOn();
}

function keepHouse(ledger: Ledger, metrics: AgentMetrics, log: Logger): NodeJS.Timeout {
  const prune = async (): Promise<void> => {
    try {
      await ledger.prune();
    } catch (error) {
      log.error({ error: (error as Error).message }, 'cannot drop old entries of the ledger');
    }
    metrics.ledgerEntries.set(ledger.size());
  };
  void prune();
  return setInterval(() => void prune(), PRUNE_EVERY_MS).unref();
}

/** A disk that takes no record must not keep the agent from stopping. */
const RECORD_WAIT_MS = 12_000;
async function stopAttempts(attempts: Attempts): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, RECORD_WAIT_MS);
  await Promise.race([attempts.stop(), late.promise]);
  clearTimeout(timer);
}
