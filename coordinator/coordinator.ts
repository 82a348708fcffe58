/** The coordinator as a whole: what it opens, how its parts hang together, and in which order they end. */
import { Context } from '@temporalio/activity';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { AccessConfig, CoordinatorConfig } from '../config/coordinator.ts';
import { openSvidSource, type SvidSource } from '../identity/svid-source.ts';
import { openSourcePool, type SourcePool } from '../sources/source-pool.ts';
import { createAgentTokens, type AgentTokens } from './agent-token/agent-tokens.ts';
import { serveJwks } from './agent-token/jwks-listener.ts';
import { readTokenKeys } from './agent-token/token-keys.ts';
import { createAdmission, type Admission } from './admission.ts';
import { openAuditor, type Auditor } from './audit/auditor.ts';
import { createService } from './create-service.ts';
import { readExecutions } from './executions.ts';
import { createAct } from './execution/act.ts';
import type { Courier } from './execution/courier.ts';
import { createSigner, readGrantKey } from './execution/grants.ts';
import { createNotify } from './execution/notify.ts';
import { createRelease } from './execution/release.ts';
import { watchStrays, type Strays } from './execution/strays.ts';
import { createSweep } from './execution/sweep.ts';
import { createVerify } from './execution/verify.ts';
import { watchFleet, type Fleet } from './fleet.ts';
import type { DecideOptions } from './gate/decide.ts';
import { reportFleet } from './gate/fleet-report.ts';
import { GateClient } from './gate/gate-client.ts';
import { keepGate } from './gate/gate-keeper.ts';
import { createTakeOver } from './gate/lost-gate.ts';
import { serveGateMetrics } from './gate/gate-metrics.ts';
import { openKnownLease } from './gate/known-lease.ts';
import { createApi } from './http/api.ts';
import { requestPeer } from './http/peer.ts';
import { startHttpServer } from './http/server.ts';
import { coordinatorMetrics, type CoordinatorMetrics } from './metrics.ts';
import { listedNodes } from './nodes/listed.ts';
import { nodeRecords } from './nodes/node-records.ts';
import { createNodeService } from './nodes/node-service.ts';
import { createNodes, type Nodes } from './nodes/nodes.ts';
import { watchRules, type Rules } from './rules.ts';
import type { Knowledge } from './request-check.ts';
import type { StartOptions } from './start-admitted.ts';
import { executionExists, executionFor, startExecution } from './start-execution.ts';
import { openTemporal, type Temporal } from './temporal.ts';
import { announceWindows } from './windows/announce-windows.ts';
import { loadWorkflowBundle } from './workflow-bundle.ts';
import { createPendingActivities, type AskAgainOptions } from './waiting/ask-again.ts';
import { pendingOf } from './waiting/pending-id.ts';
import { pendingWorkflows, type PendingWorkflows } from './waiting/pending-workflows.ts';
import { createWaiting } from './waiting/waiting.ts';
import { superviseWorkers, type EagerStarter, type Workers } from './workers.ts';

/** Definitions are announced to the gate this often; it forgets them after five minutes. */
const ANNOUNCE_MS = 60_000;

export type CoordinatorParts = {
  readonly log: Logger;
  readonly metrics: Registry;
  readonly version: string;
  /** The files that the configuration was read from: their access rules follow changes. */
  readonly paths: readonly string[];
  readonly drills?: CoordinatorDrills;
};

/** Points at which a fault drill may stop or kill this coordinator; nothing else sets them. */
export type CoordinatorDrills = {
  /** Admitted by the gate, and not yet started. */
  readonly beforeStart?: (execution: string) => Promise<void>;
  /** Permitted, and not yet sent. */
  readonly beforeOrder?: (execution: string, step: string) => Promise<void>;
  /** Answered by the agent, and not yet told to the gate or to the execution. */
  readonly beforeProof?: (execution: string, step: string) => Promise<void>;
};

export type RunningCoordinator = {
  /** `https://host:port`, the port chosen when 0 was configured. */
  readonly address: string;
  /** Reads access rules, workflows and inventory again now. */
  readonly reload: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

/** What all parts are made from. */
type House = CoordinatorParts & {
  readonly config: CoordinatorConfig;
  readonly measures: CoordinatorMetrics;
  readonly temporal: Temporal;
  readonly gate: GateClient;
  readonly fleet: Fleet;
  readonly nodes: Nodes;
  /** Null: no credentials are given to agents here. */
  readonly tokens: AgentTokens | null;
  readonly rules: Rules;
  readonly auditor: Auditor;
  /** What is done at once when workflows, limits or windows changed. */
  readonly changed: { announce: () => void };
  readonly identity: SvidSource | null;
};

/**
 * Starts a coordinator. Temporal may be away: the API answers 503 until it is there.
 * @throws ConfigError, SvidSourceError, GrantKeyError, HttpServerError: what an operator must mend before it can start.
 */
export async function startCoordinator(
  config: CoordinatorConfig,
  parts: CoordinatorParts,
): Promise<RunningCoordinator> {
  await using stack = new AsyncDisposableStack();
  const house = await openHouse(config, parts, stack);
  const courier = await openCourier(house);
  const sources = openSourcePool(config.sources);
  stack.defer(() => sources.close());
  let workers: Workers | null = null;
  const asking = askingOf(house, () => workers?.starter() ?? null);
  const running = await startWorkers(house, asking, courier, sources);
  workers = running;
  stack.defer(() => running.stop());
  const admission = createAdmission({ ...asking, ...knowledgeOf(house), domain: config.domain });
  stack.defer(keepAnnounced(house, admission));
  stack.defer(keepReported(house));
  for (const warning of identityWarnings(house)) parts.log.warn(warning);
  const strays = watchStrays(house);
  stack.defer(() => strays.stop());
  serveGateMetrics(parts.metrics, { ...house, workersRunning: running.running, strays: strays.current });
  const server = stack.use(await serve(house, asking, { admission, workers: running, strays }));
  const owned = stack.move();
  parts.log.info(
    { address: server.origin, domain: config.domain, workflows: house.rules.definitions().length },
    'coordinator listens',
  );
  return { address: server.origin, reload: house.rules.reload, stop: () => owned.disposeAsync() };
}

async function openHouse(
  config: CoordinatorConfig,
  parts: CoordinatorParts,
  stack: AsyncDisposableStack,
): Promise<House> {
  const { log } = parts;
  const measures = coordinatorMetrics(parts.metrics);
  const identity = config.identity === null ? null : stack.use(await openSvidSource(config.identity, { log }));
  const temporal = await openTemporal(config.temporal, `fettle-coordinator/${config.name}`);
  stack.defer(() => temporal.close());
  const known = await openKnownLease(config.stateDir, config.domain, log);
  stack.defer(() => known.flush());
  const keeper = keepGate({ temporal, domain: config.domain, log });
  stack.defer(() => keeper.stop());
  const auditor = await openAuditor({
    config: config.audit,
    name: config.name,
    version: parts.version,
    stateDir: config.stateDir,
    log,
    onProblem: (failing) => measures.auditFailing.set(failing ? 1 : 0),
  });
  stack.defer(() => auditor.close());
  const gate = new GateClient({
    temporal,
    domain: config.domain,
    name: config.name,
    known,
    log,
    onLost: keeper.look,
    onAnswer: auditor.answered,
    forbids: auditor.forbids,
    onBatch: (operations, ms) => {
      measures.batchOperations.observe(operations);
      measures.batchSeconds.observe(ms / 1000);
    },
  });
  stack.defer(() => gate.close());
  let fleet: Fleet | null = null;
  const changed = { announce: () => {} };
  const rules = stack.use(
    await watchRules({
      config,
      paths: parts.paths,
      log,
      onProblems: (file, errors) => measures.configProblems.set({ file }, errors),
      onRules: () => changed.announce(),
      onInventory: (nodes) => fleet?.setInventory(nodes),
    }),
  );
  const base = { ...parts, config, measures, temporal, gate, rules, changed, identity, auditor };
  const nodes = nodesOf(base);
  const tokens = await openTokens({ ...base, nodes }, stack);
  const { agentsNamespace } = config.temporal;
  const renewed = tokens === null ? {} : { renewedAt: tokens.renewedAt };
  fleet = watchFleet({ temporal, agentsNamespace, inventory: rules.inventory(), log, ...renewed });
  return { ...base, nodes, tokens, fleet };
}

type Base = Omit<House, 'nodes' | 'tokens' | 'fleet'>;

const nodesOf = ({ temporal, rules, log, measures, auditor }: Base): Nodes =>
  createNodes({
    records: nodeRecords(temporal),
    listed: listedNodes(rules.inventory),
    log,
    onOtherMachine: ({ node, machineId, via }, pinned) => {
      measures.otherMachines.inc({ via });
      auditor.note({ kind: 'other_machine', node, machine_id: machineId, pinned, via });
    },
  });

const agentTrustDomainOf = ({ config, identity }: Pick<House, 'config' | 'identity'>): string =>
  config.agentTrustDomain ?? identity?.current().id.trustDomain ?? 'unknown';

/** @throws TokenKeyError, JwksListenerError: what an operator must mend before it can start */
async function openTokens(
  base: Base & { readonly nodes: Nodes },
  stack: AsyncDisposableStack,
): Promise<AgentTokens | null> {
  const { config, rules, measures, auditor, log, nodes } = base;
  if (config.agentTokens === null) return null;
  const { ttlMs, jwksListen } = config.agentTokens;
  const keys = await readTokenKeys(config.agentTokens);
  if (jwksListen !== null) stack.use(await serveJwks(jwksListen, keys.jwks, log));
  return createAgentTokens({
    keys,
    ttlMs,
    issuer: issuerOf(base),
    trustDomain: agentTrustDomainOf(base),
    agentsNamespace: config.temporal.agentsNamespace,
    nodes,
    listed: config.inventory === null ? null : listedNodes(rules.inventory),
    onResult: (result) => measures.agentTokens.inc({ result }),
    onFirst: (agent, machineId) => auditor.note({ kind: 'agent_token', agent, machine_id: machineId }),
  });
}

const issuerOf = ({ config, identity }: Pick<House, 'config' | 'identity'>): string =>
  identity?.current().id.text ?? `coordinator:${config.name}`;

async function openCourier(house: House): Promise<Courier> {
  const { config, identity, temporal, measures, nodes, log } = house;
  const key = await readGrantKey(config.grantKey);
  return {
    temporal,
    nodes,
    signer: createSigner(key, issuerOf(house)),
    bundles: () => identity?.current().bundles ?? new Map(),
    log,
    onForgery: () => measures.forgeries.inc(),
  };
}

/** What it takes to ask the gate and to follow its answer, for callers and for what waits. */
type Asking = DecideOptions &
  StartOptions & {
    readonly pending: PendingWorkflows;
    readonly access: () => AccessConfig;
    readonly startedFor: AskAgainOptions['startedFor'];
    readonly onDecision: (decision: string, workflow: string) => void;
  };

const askingOf = (
  { config, gate, rules, temporal, measures, log, drills }: House,
  starter: () => EagerStarter | null,
): Asking => ({
  name: config.name,
  gate,
  ruling: rules.ruling,
  access: rules.access,
  start: async (input) => {
    await drills?.beforeStart?.(input.execution);
    await startExecution(temporal, input, starter());
  },
  exists: (execution) => executionExists(temporal, execution),
  startedFor: (asked, since) => executionFor(temporal, asked, since),
  pending: pendingWorkflows(temporal),
  log,
  onDecision: (decision, workflow) => measures.decisions.inc({ decision, workflow }),
});

/** Nobody waits for it: one that is not called asks when its time comes. */
function callWaiting({ log }: House, { pending }: Asking, rq: string): void {
  pending.call(pendingOf(rq)).catch((error: unknown) => log.debug({ error, rq }, 'what waits could not be called'));
}

const knowledgeOf = ({ fleet, rules }: House): Knowledge => ({
  fleet,
  access: rules.access,
  workflow: rules.definition,
  workflowNames: () => rules.definitions().map((definition) => definition.name),
});

async function startWorkers(house: House, asking: Asking, courier: Courier, sources: SourcePool): Promise<Workers> {
  const { config, gate, fleet, nodes, rules, temporal, measures, log, drills } = house;
  const agentTrustDomain = agentTrustDomainOf(house);
  const onStep = (action: string, status: string): void => measures.steps.inc({ action, status });
  return superviseWorkers({
    temporal: config.temporal,
    name: config.name,
    bundle: await loadWorkflowBundle(),
    gateActivities: { runId: () => Promise.resolve(Context.current().info.workflowExecution?.runId ?? '') },
    actActivities: {
      act: createAct({
        gate,
        fleet,
        nodes,
        labelsOf: (definition) => rules.ruling(definition).labels,
        courier,
        agentTrustDomain,
        log,
        onStep,
        ...(drills === undefined ? {} : { drills }),
      }),
      verify: createVerify((address) => sources.get(address) ?? null),
    },
    workflowActivities: { release: createRelease(gate, (rq) => callWaiting(house, asking, rq)) },
    controlActivities: {
      notify: createNotify(rules.notify, log),
      takeOver: createTakeOver(temporal),
      sweep: createSweep({ temporal, gate, fleet, courier, agentTrustDomain, log }),
      ...createPendingActivities(asking),
    },
    log,
  });
}

function keepAnnounced({ config, gate, rules, log, changed }: House, admission: Admission): () => void {
  const announce = (): void => {
    admission
      .announce()
      .catch((error: unknown) => log.warn({ error }, 'definitions were not announced to the gate; trying again'));
    announceWindows({ name: config.name, gate, windows: rules.windows, log }).catch((error: unknown) =>
      log.warn({ error }, 'closed windows were not announced to the gate; trying again'),
    );
  };
  announce();
  changed.announce = announce;
  const timer = setInterval(announce, ANNOUNCE_MS);
  return () => clearInterval(timer);
}

function keepReported({ config, gate, fleet, rules, log }: House): () => void {
  const limits = () =>
    rules.definitions().flatMap((definition) => rules.ruling(definition).announcement('', '', 0).lim);
  return reportFleet({ name: config.name, gate, fleet, limits, log });
}

/** Without an identity there is no bundle that agents' answers could be checked against: nothing they say would be believed. */
const identityWarnings = ({ identity }: House): string[] =>
  identity === null
    ? ['no identity block: receipts of agents cannot be checked, so no remedy can succeed; add identity { ... }']
    : [];

type Served = { readonly admission: Admission; readonly workers: Workers; readonly strays: Strays };

function serve(house: House, { pending }: Asking, { admission, workers, strays }: Served) {
  const { config, gate, fleet, nodes, tokens, rules, temporal, identity, auditor, log, metrics, measures, version } =
    house;
  const service = createService({
    name: config.name,
    version,
    domain: config.domain,
    temporalAddress: config.temporal.address,
    temporal,
    gate,
    fleet,
    admission,
    executions: readExecutions(temporal, gate, config.domain),
    waiting: createWaiting({
      gate,
      pending,
      access: rules.access,
      log,
      onBreakGlass: (workflow) => measures.breakGlass.inc({ workflow }),
    }),
    nodes: createNodeService({
      fleet,
      nodes,
      tokens,
      access: rules.access,
      log,
      onChange: ({ op, by, node, reason }) => auditor.note({ kind: `node_${op}`, by, node, reason }),
    }),
    strays: strays.current,
    access: rules.access,
    definitions: rules.definitions,
    configStatus: rules.status,
    warnings: () => [...identityWarnings(house), ...rules.warnings(), ...auditor.warnings()],
    workersRunning: workers.running,
    onCancel: (by, execution, reason) => auditor.note({ kind: 'cancel', by, execution, reason }),
    log,
    onRequest: (workflow, decision, seconds) => {
      measures.admissionSeconds.observe({ decision: decision?.decision ?? 'none' }, seconds);
      if (decision?.decision !== 'refused') return;
      if (decision.code === 'paused') measures.refusals.inc({ workflow, limit: 'pause' });
      for (const { constraint, name } of decision.reasons)
        measures.refusals.inc({ workflow, limit: name ?? constraint });
    },
  });
  const api = createApi({
    service,
    access: rules.access,
    metrics: () => metrics.metrics(),
    log,
    callerOf: requestPeer,
    version,
    onCaller: auditor.heard,
    onRefused: auditor.refused,
    onAnswer: (route, status, seconds) => measures.requestSeconds.observe({ route, status: String(status) }, seconds),
  });
  const onTlsFailure = (remote: string | undefined, reason: string): void =>
    auditor.refused({ caller: 'rejected', remote, code: 'tls_failed', reason });
  return startHttpServer({ listen: config.listen, identity, fetch: api.fetch, log, onTlsFailure });
}
