/**
 * Sees that a gate that was lost is replaced by a run that knows what it knew: a terminated one by a new run, a reset one ended first,
 * since it may not decide. Where there never was a gate, or nothing of it is left, a person sets it up (docs/protocol.md §9).
 */
import type { Logger } from 'pino';
import { gateWorkflowId, QUEUES } from '../../workflows/contract.ts';
import type { GateInput } from '../../workflows/gate.ts';
import { isNotFound, type Temporal } from '../temporal.ts';
import { copiedFrom, lostRun } from './lost-gate.ts';

/** Looked at no more often than that. */
const LOOK_EVERY_MS = 1_000;

export type GateKeeper = {
  /** Looks now, unless it has just looked: called whenever the gate did not answer. */
  readonly look: () => void;
  readonly stop: () => Promise<void>;
};

export function keepGate(options: {
  readonly temporal: Temporal;
  readonly domain: string;
  readonly log: Logger;
}): GateKeeper {
  const { log } = options;
  let looking: Promise<void> | null = null;
  let looked = 0;
  return {
    look: () => {
      if (looking !== null || performance.now() - looked < LOOK_EVERY_MS) return;
      looking = replaceIfLost(options)
        .catch((error: unknown) => log.debug({ error }, 'could not look after the gate; trying again'))
        .finally(() => {
          looked = performance.now();
          looking = null;
        });
    },
    stop: async () => {
      await looking;
    },
  };
}

async function replaceIfLost({ temporal, domain, log }: Parameters<typeof keepGate>[0]): Promise<void> {
  const found = await describe(temporal, domain);
  if (found === null) return;
  if (found.status.name === 'RUNNING') {
    if ((await copiedFrom(temporal, domain, found.runId)) === null) return;
    log.error({ domain, run: found.runId }, 'the gate was reset: it is ended, and another run takes over');
    // By its run id: whoever was faster has another run going already.
    const reset = temporal.control.workflow.getHandle(gateWorkflowId(domain), found.runId);
    await temporal.call('end a gate that was reset', () =>
      reset.terminate('it was reset, and a reset gate may not decide'),
    );
  }
  const predecessor = await lostRun(temporal, domain);
  const input: GateInput = { domain, predecessor };
  try {
    await temporal.call('start the gate that takes over', () =>
      temporal.control.workflow.start('gate', {
        workflowId: gateWorkflowId(domain),
        taskQueue: QUEUES.gate,
        args: [input],
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        workflowIdConflictPolicy: 'FAIL',
        workflowTaskTimeout: '2s',
        staticSummary: `Admits and holds leases of domain ${domain}; took over from ${predecessor}`,
      }),
    );
  } catch (error) {
    // Another coordinator was faster.
    if (error instanceof Error && error.name === 'WorkflowExecutionAlreadyStartedError') return;
    throw error;
  }
  log.error(
    { domain, predecessor, ended: found.status.name },
    'the gate had ended: a new run takes over from its record',
  );
}

async function describe(temporal: Temporal, domain: string) {
  const handle = temporal.control.workflow.getHandle(gateWorkflowId(domain));
  try {
    return await temporal.call('describe the gate', () => handle.describe());
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}
