/** Drives the gate's reducer by hand, with a clock that only moves when told: for tests and the bench of the reducer. */
import type { Outcome } from '../../workflows/contract.ts';
import { apply, tick, trim } from '../../workflows/gate/apply.ts';
import type {
  Answer,
  Ask,
  Definitions,
  EpisodeRef,
  LeaseRef,
  LimitRef,
  Operation,
  Permit,
  ReasonRef,
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

  announce(
    workflow: string,
    lim: readonly LimitRef[],
    { digest, changing, ...more }: { digest?: string; changing?: boolean } & Partial<Definitions> = {},
  ): Answer {
    return this.apply({
      op: 'definitions',
      id: this.id(),
      at: this.now,
      w: workflow,
      d: digest ?? 'd1',
      lim,
      ch: changing ?? true,
      by: 'c1',
      ...more,
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

  release(lease: LeaseRef, o: Outcome = 'healed'): Answer {
    return this.apply({ op: 'release', id: this.id(), at: this.now, l: lease, o });
  }

  /** Permit, proof and release of one step that changes the lease's node. */
  finish(lease: LeaseRef, n: string, o: Outcome = 'healed'): void {
    this.permit(lease, 'step', { n });
    this.result(lease, 'step');
    this.release(lease, o);
  }

  /** One coordinator's whole view of the fleet: [scope key, total, down], and who is down. */
  fleet(reporter: string, tot: readonly (readonly [string, number, number])[], dn: readonly string[] = []): Answer {
    return this.apply({
      op: 'fleet',
      id: this.id(),
      at: this.now,
      r: reporter,
      v: (this.#ids += 1),
      i: 0,
      of: 1,
      tot,
      dn,
    });
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

/** @throws when the request does not wait: the test stands on one that does. */
export function pendingOf(answer: Answer): Extract<Answer, { a: 'pending' }> {
  if (answer.a !== 'pending') throw new Error(`not pending: ${JSON.stringify(answer)}`);
  return answer;
}

/** The reasons of an answer, whatever its kind. */
export const reasonsIn = (answer: Answer): readonly ReasonRef[] =>
  answer.a === 'refused' || answer.a === 'pending' || answer.a === 'shadow' ? (answer.r ?? []) : [];
