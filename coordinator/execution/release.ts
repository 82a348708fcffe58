/** Gives a lease back at an execution's end. Repeated until it arrives: the gate answers a release it knows as it did. */
import type { ReleaseInput } from '../../workflows/activities.ts';
import { formatLease } from '../../workflows/contract.ts';
import type { GateClient } from '../gate/gate-client.ts';

export const createRelease =
  (gate: GateClient) =>
  async ({ lease, outcome }: ReleaseInput): Promise<{ held: boolean }> => {
    const answer = await gate.submit({
      op: 'release',
      id: `f:${formatLease(lease)}`,
      at: Date.now(),
      l: [lease.epoch, lease.n],
      o: outcome,
    });
    return { held: answer.a === 'ok' && answer.held === true };
  };
