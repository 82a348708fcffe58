/**
 * The coordinator's Workers: gate, executions, acts, control. Temporal may be away at start or later; then they are built again, all
 * together, with growing pauses, and the rest of the coordinator goes on answering.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { TemporalConfig } from '../config/connections.ts';
import { QUEUES } from '../workflows/contract.ts';
import { largePayloadCodec } from './gate/large-payload.ts';
import { connectForWorkers } from './temporal.ts';
import type { WorkflowBundle } from './workflow-bundle.ts';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;

export type WorkersOptions = {
  readonly temporal: TemporalConfig;
  /** This coordinator's name: part of its identity on Temporal. */
  readonly name: string;
  readonly bundle: WorkflowBundle;
  readonly gateActivities: object;
  /** Local activities of executions. */
  readonly workflowActivities?: object;
  readonly actActivities: object;
  readonly controlActivities: object;
  readonly log: Logger;
};

/** Starts workflows over the Workers' own connection, so that the server hands their first task over with the answer. */
export type EagerStarter = { readonly client: Client };

export type Workers = {
  /** Null while no Worker polls. */
  readonly starter: () => EagerStarter | null;
  readonly running: () => boolean;
  readonly stop: () => Promise<void>;
};

export function superviseWorkers(options: WorkersOptions): Workers {
  const stopping = new AbortController();
  let running = false;
  let current: Worker[] = [];
  let starter: EagerStarter | null = null;
  const loop = async (): Promise<void> => {
    let pause = FIRST_PAUSE_MS;
    let complained = false;
    while (!stopping.signal.aborted) {
      try {
        await runOnce(options, (workers, connection) => {
          current = workers;
          running = workers.length > 0;
          starter = running ? starterOver(options, connection) : null;
          if (!running) return;
          options.log.info({ address: options.temporal.address }, 'workers poll Temporal');
          pause = FIRST_PAUSE_MS;
          complained = false;
          if (stopping.signal.aborted) shutDown(workers);
        });
      } catch (error) {
        if (!complained)
          options.log.error({ error, address: options.temporal.address }, 'workers cannot poll Temporal; trying again');
        complained = true;
      }
      running = false;
      starter = null;
      if (stopping.signal.aborted) return;
      await delay(pause * (0.5 + Math.random() / 2), undefined, { signal: stopping.signal }).catch(() => undefined);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  };
  const done = loop();
  return {
    starter: () => starter,
    running: () => running,
    stop: async () => {
      stopping.abort();
      shutDown(current);
      await done;
    },
  };
}

const starterOver = ({ temporal, name }: WorkersOptions, connection: NativeConnection): EagerStarter => ({
  client: new Client({ connection, namespace: temporal.namespace, identity: `fettle-coordinator/${name}` }),
});

/** Runs all Workers until one ends; then ends the others. */
async function runOnce(
  options: WorkersOptions,
  onRunning: (workers: Worker[], connection: NativeConnection) => void,
): Promise<void> {
  const { connection, close } = await connectForWorkers(options.temporal);
  try {
    const workers = await createWorkers(options, connection);
    const runs = workers.map((worker) => worker.run().finally(() => shutDown(workers)));
    // Only what runs can be told to stop, and that may have been asked while they were made.
    onRunning(workers, connection);
    const ended = await Promise.allSettled(runs);
    onRunning([], connection);
    const failed = ended.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  } finally {
    await close().catch((error: unknown) => options.log.debug({ error }, 'closing a Temporal connection'));
  }
}

const shutDown = (workers: readonly Worker[]): void => {
  for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
};

async function createWorkers(options: WorkersOptions, connection: NativeConnection): Promise<Worker[]> {
  const dataConverter = { payloadCodecs: [largePayloadCodec] };
  const common = {
    connection,
    namespace: options.temporal.namespace,
    identity: `fettle-coordinator/${options.name}`,
    dataConverter,
    shutdownGraceTime: '2s',
    shutdownForceTime: '8s',
  } as const;
  const workflows = {
    ...common,
    workflowBundle: options.bundle,
    workflowThreadPoolSize: 1,
    stickyQueueScheduleToStartTimeout: '2s',
    // What is registered beside workflows runs within their tasks: none of it is to be polled for.
    enableNonLocalActivities: false,
  } as const;
  const activities = {
    ...common,
    // A cancellation is heard with a heartbeat: the default would let it wait for eight seconds.
    maxHeartbeatThrottleInterval: '1s',
    defaultHeartbeatThrottleInterval: '1s',
  } as const;
  return createAll([
    { ...workflows, taskQueue: QUEUES.gate, activities: options.gateActivities, maxCachedWorkflows: 10 },
    {
      ...workflows,
      taskQueue: QUEUES.workflows,
      activities: options.workflowActivities ?? {},
      maxCachedWorkflows: 300,
    },
    {
      ...activities,
      taskQueue: QUEUES.act,
      activities: options.actActivities,
      maxConcurrentActivityTaskExecutions: 1_000,
    },
    {
      ...activities,
      taskQueue: QUEUES.control,
      activities: options.controlActivities,
      maxConcurrentActivityTaskExecutions: 200,
    },
  ]);
}

/** All or none: a Worker that was made but never run would hold its connection, and with it the process, for ever. */
async function createAll(wanted: readonly WorkerOptions[]): Promise<Worker[]> {
  const made: Worker[] = [];
  try {
    for (const one of wanted) made.push(await Worker.create(one));
    return made;
  } catch (error) {
    await Promise.allSettled(
      made.map((worker) => {
        const run = worker.run();
        worker.shutdown();
        return run;
      }),
    );
    throw error;
  }
}
