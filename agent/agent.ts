import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { AgentConfig } from '../config/agent.ts';
import type { SvidSource } from '../identity/svid-source.ts';
import type { CommandDefinition } from '../config/commands.ts';
import { agentQueues, type NodePlace } from '../workflows/contract.ts';
import { createActionHost, rulesOf } from './action-host.ts';
import type { Programs } from './actions/action.ts';
import { createActionSlots } from './action-slots.ts';
import { createActivities } from './activities.ts';
import { type AgentMetrics, createAgentMetrics, serveStandingMetrics, serveTokenMetric } from './agent-metrics.ts';
import { type Credential, keepCredential } from './credential.ts';
import { createAttempts } from './attempts.ts';
import { isBraked } from './brake.ts';
import type { Doer } from './doer.ts';
import { readGrantKeys } from './grant-keys.ts';
import { createOrderVerifier } from './grants.ts';
import { createHelperDoer } from './helper/doer.ts';
import { type HostFacts, readHostFacts } from './host-facts.ts';
import { openLedger } from './ledger.ts';
import { endAfterBoot, worksOnHost } from './left-at-work.ts';
import { placeOf } from './node-place.ts';
import { createOwnDoer } from './own-doer.ts';
import type { LookSetting } from './perform.ts';
import { ownProcess } from './procfs.ts';
import { createReceiptSigner, type SvidHolder } from './receipts.ts';
import { createRulesInForce, type RulesInForce } from './rules-in-force.ts';
import { type ConnectionState, superviseSessions, type SupervisorSetting } from './supervisor.ts';
import { createTurns } from './turns.ts';

export type AgentDeps = {
  /** This host's SVID; names the host's place in the fleet. */
  readonly svid: SvidHolder;
  /** What `exec` may run here. */
  readonly commands: readonly CommandDefinition[];
  readonly log: Logger;
  readonly metrics: Registry;
  /** What is at work gets this long to end by itself when the agent stops, milliseconds; default 10 s, with the helper 2 s. */
  readonly graceMs?: number;
  /** Shown by `ping` and in receipts. */
  readonly version?: string;
  /** Where they are not where Debian has them. */
  readonly programs?: Partial<Programs>;
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
  /** What bounds this host; exchanged while the agent runs. */
  readonly rules: RulesInForce;
  /** Takes no more orders, lets actions end within the grace time, then ends them and puts that on record. May be called again. */
  readonly stop: () => Promise<void>;
};

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
  const inForce = createRulesInForce(rulesOf(config, deps.commands));
  const host = createActionHost(config, inForce.rules, facts, {
    ...deps.programs,
    tokenSeconds: () => tokenSeconds(credential),
    standing: async () => ({
      changes_by: config.helper === null ? 'agent' : 'helper',
      braked: await isBraked(config.brakeFile),
      rules: inForce.problem() === null ? 'as in the files' : `old: ${inForce.problem()}`,
    }),
  });
  const verifier = await createOrderVerifier(config.issuer, await readGrantKeys(config.grantKeys));
  const metrics = createAgentMetrics(deps.metrics);
  serveStandingMetrics(deps.metrics, {
    braked: () => isBraked(config.brakeFile),
    rulesRefused: () => inForce.problem() !== null,
  });
  const slots = createActionSlots(config.maxActions, { onChange: (used) => metrics.running.set(used) });
  const { brakeFile, secretsDir } = config;
  const look: LookSetting = { host, allow: inForce.allow, slots, brakeFile, secretsDir };
  const doer =
    config.helper === null ? await ownDoer(config, look, metrics, log) : createHelperDoer(config.helper, look, log);
  const signer = createReceiptSigner(deps.svid);
  const stopping = new AbortController();
  const setting = { place, svid: deps.svid, facts, verifier, doer, signer, metrics, log };
  const activities = createActivities({ ...setting, stopping: stopping.signal });
  credential = openCredential(config, deps, { facts, metrics, log });
  if (credential !== null) serveTokenMetric(deps.metrics, () => tokenSeconds(credential) ?? 0);
  if (config.allow.length === 0)
    log.warn('no allow block is configured: every action is refused; add allow blocks to the agent file');
  const supervised: SupervisorSetting = {
    temporal: config.temporal,
    place,
    activities,
    credential,
    ordersAtOnce: config.maxActions + MORE_ORDERS,
    graceMs: deps.graceMs ?? (doer.outlives ? 2000 : 10_000),
    log,
    onChange: ({ connected }) => metrics.connected.set(connected ? 1 : 0),
  };
  const supervisor = superviseSessions(supervised);
  log.info(
    { queues: Object.values(agentQueues(place)), boot_id: facts.bootId, ledger_entries: doer.entries() },
    config.helper === null
      ? 'agent started; it does itself what changes this host, since no helper block is configured'
      : 'agent started; the helper does what changes this host',
  );
  let stopped: Promise<void> | null = null;
  const stop = async (): Promise<void> => {
    stopping.abort();
    await supervisor.stop();
    await credential?.stop();
    await doer.stop();
    log.info('agent stopped');
  };
  return {
    place,
    state: supervisor.state,
    connected: supervisor.connectedOnce,
    rules: inForce,
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

/** One process does it all: the rights to change the host are this process' own, and what runs ends with it. */
async function ownDoer(config: AgentConfig, look: LookSetting, metrics: AgentMetrics, log: Logger): Promise<Doer> {
  const { host } = look;
  const ledger = await openLedger(config.stateDir);
  const owner = ownProcess();
  const attempts = createAttempts({
    ledger,
    bootId: host.facts.bootId,
    owner,
    log,
    worksOn: (begun) => worksOnHost(begun, host),
    afterBoot: (begun) => endAfterBoot(begun, host),
    launcher: null,
  });
  const setting = { ...look, ledger, attempts, owner, log, turns: createTurns(), launcher: null };
  return createOwnDoer(setting, (count) => metrics.ledgerEntries.set(count));
}
