/**
 * Looks after leases that nobody released (docs/protocol.md §4.4, §6.4): what became of their executions, and for orphans what the
 * hosts say. Proof goes to the gate as `result` operations; the gate alone ends leases.
 */
import type { Logger } from 'pino';
import { formatLease, type NodePlace } from '../../workflows/contract.ts';
import type { SweepFinding } from '../../workflows/gate/leases.ts';
import type { LeaseSummary } from '../../workflows/gate/operations.ts';
import { leaseName } from '../../workflows/gate/target-ref.ts';
import type { Fleet } from '../fleet.ts';
import type { GateClient } from '../gate/gate-client.ts';
import { isNotFound, type Temporal } from '../temporal.ts';
import { agentId } from './act.ts';
import type { Courier } from './courier.ts';
import { askOnce } from './settle.ts';

export type SweepOptions = {
  readonly temporal: Temporal;
  readonly gate: GateClient;
  readonly fleet: Fleet;
  readonly courier: Courier;
  readonly agentTrustDomain: string;
  readonly log: Logger;
};

export const createSweep =
  (options: SweepOptions) =>
  async (leases: readonly LeaseSummary[]): Promise<SweepFinding[]> => {
    const looked = await Promise.allSettled(leases.map((lease) => look(options, lease)));
    // What could not be looked at stays as it is and is looked at again.
    return looked.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  };

async function look(options: SweepOptions, lease: LeaseSummary): Promise<SweepFinding> {
  const execution = leaseName(lease);
  const state = await stateOf(options.temporal, execution);
  if (state !== 'running' && lease.unsettled.length > 0) await settleAll(options, lease, execution);
  return { lease: lease.lease, execution: state };
}

async function stateOf(temporal: Temporal, execution: string): Promise<SweepFinding['execution']> {
  try {
    const described = await temporal.call('describe an execution', () =>
      temporal.control.workflow.getHandle(execution).describe(),
    );
    return described.status.name === 'RUNNING' ? 'running' : 'closed';
  } catch (error) {
    if (isNotFound(error)) return 'not_found';
    throw error;
  }
}

async function settleAll(options: SweepOptions, lease: LeaseSummary, execution: string): Promise<void> {
  const { nodes } = await options.fleet.view();
  await Promise.allSettled(
    lease.unsettled.map(async (held) => {
      const [place] = nodes.get(held.node) ?? [];
      if (place !== undefined) await settleOne(options, lease, execution, held, place);
    }),
  );
}

async function settleOne(
  options: SweepOptions,
  lease: LeaseSummary,
  execution: string,
  held: LeaseSummary['unsettled'][number],
  place: NodePlace,
): Promise<void> {
  const { step, attempt } = held;
  const agent = agentId(options.agentTrustDomain, place);
  const { answer } = await askOnce(options.courier, { place, agent, execution, step, attempt });
  if (answer.state === 'running') return;
  const r = answer.state === 'never_begun' ? 'never_begun' : answer.result.status;
  const [epoch, n] = lease.lease;
  await options.gate.submit({
    op: 'result',
    id: `o:${formatLease({ epoch, n })}/${step}/${attempt}`,
    at: Date.now(),
    l: lease.lease,
    s: step,
    a: attempt,
    r,
  });
  options.log.info({ execution, step, node: place.node, answer: answer.state }, 'orphaned step settled');
}
