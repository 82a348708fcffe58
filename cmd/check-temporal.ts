import type { TemporalConfig } from '../config/connections.ts';
import { isNotFound, openTemporal, type Temporal, TemporalUnreachableError } from '../coordinator/temporal.ts';
import { gateWorkflowId, SEARCH_ATTRIBUTES } from '../workflows/contract.ts';
import type { GateSummary } from '../workflows/gate/operations.ts';
import { checkAnonymous } from './check-wall.ts';
import { errorText, fail, type Finding, ok, warn } from './finding.ts';
import { formatDuration } from './time-text.ts';

type DescribeTaskQueue = Temporal['connection']['workflowService']['describeTaskQueue'];
type QueueType = NonNullable<Parameters<DescribeTaskQueue>[0]['taskQueueType']>;
/** temporal.api.enums.v1.TaskQueueType; the package that names its values is none of ours at run time. */
const QUEUE_TYPES = { workflow: 1, activity: 2 } as unknown as Readonly<Record<'workflow' | 'activity', QueueType>>;
/** A poller asks anew at least every 60-70 s; one silent for longer is gone, though the server keeps its name for 5 minutes. */
const POLLER_LIVES_MS = 90_000;
const GATE_ANSWERS_MS = 3_000;

export type Queue = { readonly name: string; readonly type: keyof typeof QUEUE_TYPES };

export type TemporalNeeds = {
  /** What must be polled, by whom people know it: `agent of this host`, `coordinator`. */
  readonly queues: { readonly namespace: string; readonly who: string; readonly list: readonly Queue[] };
  /** Domain whose gate must run; null for roles that may not look into the control namespace. */
  readonly domain: string | null;
  /** An agent's token, where coordinators give it; null: the configuration names the credential. */
  readonly token?: string | null;
};

/** Looks at a Temporal server with the rights of the role whose configuration this is. */
export async function checkTemporal(
  config: TemporalConfig,
  needs: TemporalNeeds,
  now: () => number,
): Promise<Finding[]> {
  let temporal: Temporal;
  try {
    temporal = await openTemporal(config, 'fettle-doctor', needs.token ?? null);
  } catch (error) {
    return [fail('temporal', errorText(error), 'mend the file that temporal { ... } names')];
  }
  try {
    const reached = await reach(config, temporal);
    if (reached.state === 'fail') return [reached];
    const namespaces = needs.domain === null ? [config.agentsNamespace] : [config.namespace, config.agentsNamespace];
    const found = await Promise.all([
      ...namespaces.map((namespace) => safely('temporal', () => namespaceExists(temporal, namespace))),
      ...(needs.domain === null ? [] : control(temporal, config, needs.domain)),
      ...needs.queues.list.map((queue) => safely('queue', () => polled(temporal, needs.queues, queue, now()))),
    ]);
    return [reached, ...(await checkAnonymous(config)), ...found];
  } finally {
    await temporal.close();
  }
}

async function reach({ address }: TemporalConfig, temporal: Temporal): Promise<Finding> {
  try {
    const info = await temporal.call('ask for its version', () =>
      temporal.connection.workflowService.getSystemInfo({}),
    );
    return ok('temporal', `answers at ${address}, version ${info.serverVersion ?? 'unknown'}`);
  } catch (error) {
    const next =
      error instanceof TemporalUnreachableError
        ? 'is it running there; is temporal.address right; does a firewall let it through'
        : 'check temporal { tls, api_key_file }';
    return fail('temporal', errorText(error), next);
  }
}

const control = (temporal: Temporal, config: TemporalConfig, domain: string): Promise<Finding>[] => [
  safely('temporal', () => searchAttributes(temporal, config.namespace)),
  safely('temporal', () => gate(temporal, domain)),
];

async function namespaceExists(temporal: Temporal, namespace: string): Promise<Finding> {
  try {
    await temporal.call(`look for namespace ${namespace}`, () =>
      temporal.connection.workflowService.describeNamespace({ namespace }),
    );
    return ok('temporal', `namespace ${namespace} is there`);
  } catch (error) {
    if (isNotFound(error))
      return fail('temporal', `namespace ${namespace} does not exist`, 'fettle setup temporal --config FILE');
    throw error;
  }
}

async function searchAttributes(temporal: Temporal, namespace: string): Promise<Finding> {
  const { customAttributes } = await temporal.call('list search attributes', () =>
    temporal.connection.operatorService.listSearchAttributes({ namespace }),
  );
  const missing = SEARCH_ATTRIBUTES.filter((name) => customAttributes?.[name] === undefined);
  if (missing.length === 0) return ok('temporal', `all ${SEARCH_ATTRIBUTES.length} search attributes are there`);
  return fail(
    'temporal',
    `search attributes are missing: ${missing.join(', ')}`,
    'fettle setup temporal --config FILE',
  );
}

async function gate(temporal: Temporal, domain: string): Promise<Finding> {
  const id = gateWorkflowId(domain);
  try {
    const { status } = await temporal.call('look for the gate', () =>
      temporal.control.workflow.getHandle(id).describe(),
    );
    if (status.name === 'RUNNING') return await gateState(temporal, domain);
    return fail(
      'temporal',
      `the gate ${id} has ended (${status.name.toLowerCase()}); nothing is admitted`,
      'do not start it by hand; see "gate" in the operations guide',
    );
  } catch (error) {
    if (isNotFound(error))
      return fail('temporal', `there is no gate of domain ${domain}`, 'fettle setup temporal --config FILE');
    throw error;
  }
}

/** Without a worker nobody answers for it: then the queues say so. */
async function gateState(temporal: Temporal, domain: string): Promise<Finding> {
  const handle = temporal.control.workflow.getHandle(gateWorkflowId(domain));
  const there = ok('temporal', `gate of domain ${domain} is there`);
  const asked = temporal.call(
    'ask the gate for its state',
    () => handle.query<GateSummary>('summary'),
    GATE_ANSWERS_MS,
  );
  const summary = await asked.catch(() => null);
  if (summary === null) return there;
  if (summary.quarantine !== null) {
    const next = 'look what became of it; then fettle gate adopt --config FILE --reason "..."';
    return fail('gate', `the gate of domain ${domain} decides nothing: ${summary.quarantine}`, next);
  }
  if (summary.opening !== null)
    return warn(
      'gate',
      `the gate took over from a lost run; ${summary.opening} leases to look at`,
      'again in some seconds',
    );
  if (summary.orphaned > 0)
    return warn('gate', `the gate keeps ${summary.orphaned} orphaned leases`, 'fettle gate leases --config FILE');
  return there;
}

async function polled(
  temporal: Temporal,
  { namespace, who }: TemporalNeeds['queues'],
  queue: Queue,
  now: number,
): Promise<Finding> {
  const { pollers } = await temporal.call(`look at queue ${queue.name}`, () =>
    temporal.connection.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: queue.name },
      taskQueueType: QUEUE_TYPES[queue.type],
    }),
  );
  const ages = (pollers ?? []).map(({ lastAccessTime }) => now - Number(lastAccessTime?.seconds ?? 0) * 1000);
  const alive = ages.filter((age) => age < POLLER_LIVES_MS).length;
  if (alive > 0) return ok('queue', `${queue.name} is polled (${queue.type}, ${alive})`);
  const since = ages.length === 0 ? '' : `, since ${formatDuration(Math.min(...ages))}`;
  return warn(
    'queue',
    `nobody polls ${queue.name} (${queue.type})${since}`,
    `start the ${who}; if it runs, look at its log`,
  );
}

/** A check that cannot be made is a finding of its own and stops no other. */
async function safely(area: string, check: () => Promise<Finding>): Promise<Finding> {
  try {
    return await check();
  } catch (error) {
    return fail(area, errorText(error), 'look at the log of the Temporal server');
  }
}
