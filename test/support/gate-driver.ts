/** Drives the gate's reducer by hand, with a clock that only moves when told: for tests and the bench of the reducer. */
import { apply, tick, trim } from '../../workflows/gate/apply.ts';
import type {
  Answer,
  Ask,
  EpisodeRef,
  LeaseRef,
  LimitRef,
  Operation,
  Permit,
  TargetRef,
} from '../../workflows/gate/operations.ts';
import { fromSnapshot, toSnapshot } from '../../workflows/gate/snapshot.ts';
import { emptyState, type GateState } from '../../workflows/gate/state.ts';

export const START = 1_700_000_000_000;

export class GateDriver {
  state: GateState = emptyState('main');
  now = START;
  #ids = 0;
  #nonces = 0;

  constructor() {
    tick(this.state, this.now);
  }

  advance(ms: number): void {
    this.now += ms;
    tick(this.state, this.now);
    trim(this.state);
  }

  /** Continue-as-new: through JSON, as Temporal carries it. */
  restart(): void {
    this.state = fromSnapshot(JSON.parse(JSON.stringify(toSnapshot(this.state))));
    tick(this.state, this.now);
  }

  apply(operation: Operation): Answer {
    return apply(this.state, operation, () => `nonce${(this.#nonces += 1)}`);
  }

  id(): string {
    return `id${(this.#ids += 1)}`;
  }

  announce(workflow: string, lim: readonly LimitRef[], more: { digest?: string; changing?: boolean } = {}): Answer {
    return this.apply({
      op: 'definitions',
      id: this.id(),
      at: this.now,
      w: workflow,
      d: more.digest ?? 'd1',
      lim,
      ch: more.changing ?? true,
      by: 'c1',
    });
  }

  ask(workflow: string, target: TargetRef, more: Partial<Ask> = {}): Answer {
    return this.apply({
      op: 'ask',
      id: this.id(),
      at: this.now,
      w: workflow,
      d: 'd1',
      t: target,
      p: 'plan',
      eu: this.now + 60_000,
      ...more,
    });
  }

  permit(lease: LeaseRef, step: string, more: Partial<Permit> = {}): Answer {
    return this.apply({
      op: 'permit',
      id: this.id(),
      at: this.now,
      l: lease,
      p: 'plan',
      s: step,
      a: 1,
      n: 'web-1',
      busy: 30_000,
      ch: true,
      ...more,
    });
  }

  result(
    lease: LeaseRef,
    step: string,
    r: 'done' | 'failed' | 'refused' | 'unknown' | 'never_begun' = 'done',
    attempt = 1,
  ): Answer {
    return this.apply({ op: 'result', id: this.id(), at: this.now, l: lease, s: step, a: attempt, r });
  }

  release(lease: LeaseRef, o: 'healed' | 'failed' = 'healed'): Answer {
    return this.apply({ op: 'release', id: this.id(), at: this.now, l: lease, o });
  }

  resolve(e: EpisodeRef): Answer {
    return this.apply({ op: 'resolved', id: this.id(), at: this.now, e });
  }
}

export const node = (name: string, more: Partial<TargetRef> = {}): TargetRef => ({
  k: 'n',
  n: name,
  y: 'web',
  c: 'dc1',
  ...more,
});

/** @throws when the answer is no admission: the test stands on one. */
export function leaseOf(answer: Answer): LeaseRef {
  if (answer.a !== 'admitted' && answer.a !== 'duplicate') throw new Error(`not admitted: ${JSON.stringify(answer)}`);
  return answer.l;
}
