/** Gives a lease back at an execution's end. Repeated until it arrives: the gate answers a release it knows as it did. */
import type { ReleaseInput } from '../../workflows/activities.ts';
import { formatLease } from '../../workflows/contract.ts';
import type { GateClient } from '../gate/gate-client.ts';

/** `call` has requests that wait look again at once: they stand first in a line that this may have made room in. */
export const createRelease =
  (gate: GateClient, call: (rq: string) => void) =>
  async ({ lease, outcome }: ReleaseInput): Promise<{ held: boolean }> => {
    const answer = await gate.submit({
      op: 'release',
      id: `f:${formatLease(lease)}`,
      at: Date.now(),
      l: [lease.epoch, lease.n],
      o: outcome,
    });
    if (answer.a !== 'ok') return { held: false };
    for (const rq of answer.hd ?? []) call(rq);
    return { held: answer.held === true };
  };
