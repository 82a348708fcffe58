/** Records made by hand, for tests of the checks: a clock that moves when told, and each thing that may stand in a gate's journal. */
import type {
  ActionFact,
  AskedOp,
  Effect,
  ExecutionFact,
  Given,
  JournalEntry,
  LeaseRef,
  LimitFact,
  ProofRecord,
  TargetFact,
} from './record.ts';

export const START = 1_700_000_000_000;
export const node = (name: string, more: Partial<TargetFact> = {}): TargetFact => ({
  k: 'n',
  n: name,
  y: 'web',
  c: 'dc1',
  ...more,
});

export const limit = (k: LimitFact['k'], v: number, more: Partial<LimitFact> = {}): LimitFact => ({
  k,
  v,
  p: 0,
  s: 'target',
  ...more,
});

type Admitted = {
  readonly ref: LeaseRef;
  readonly execution: string;
  readonly workflow: string;
  readonly target: string;
};

export class Fabricated {
  now = START;
  readonly journal: JournalEntry[] = [];
  readonly executions: ExecutionFact[] = [];
  readonly actions: ActionFact[] = [];
  readonly effects: Effect[] = [];
  #next = 1;
  #ids = 0;

  record(more: Partial<ProofRecord> = {}): ProofRecord {
    const { journal, executions, actions, effects, now } = this;
    return { journal, executions, actions, effects, whole: true, readAt: now, ...more };
  }

  /** Seconds. */
  pass(seconds: number): this {
    this.now += seconds * 1_000;
    return this;
  }

  tell(op: Partial<AskedOp> & { op: string }, given: Given | null, run = 'run-1'): void {
    const asked: AskedOp = { id: `id${(this.#ids += 1)}`, at: this.now, ...op };
    this.journal.push({ kind: 'exchange', at: this.now, run, from: 'c1', op: asked, given });
  }

  announce(workflow: string, lim: readonly LimitFact[], digest = 'd1'): void {
    this.tell({ op: 'definitions', w: workflow, d: digest, lim, ch: true }, { a: 'limits', v: 1 });
  }

  /** Admitted, without an execution. */
  admit(workflow: string, target: TargetFact, more: Partial<AskedOp> = {}): Admitted {
    const ref: LeaseRef = [1, this.#next++];
    const name = target.n ?? target.y ?? target.c ?? '';
    const p = `plan-${ref[1]}`;
    this.tell({ op: 'ask', w: workflow, d: 'd1', t: target, p, ...more }, { a: 'admitted', l: ref });
    return { ref, execution: `${workflow}:${name}:1-${ref[1].toString(36)}`, workflow, target: name };
  }

  /** Its execution, started `seconds` after now. */
  start(lease: Admitted, seconds = 0, more: Partial<ExecutionFact> = {}): void {
    const planDigest = `plan-${lease.ref[1]}`;
    const { execution: id, workflow, target } = lease;
    this.executions.push({
      id,
      run: `run of ${id}`,
      type: 'runbook',
      started: this.now + seconds * 1_000,
      closed: null,
      status: 'COMPLETED',
      input: {
        lease: lease.ref,
        workflow,
        target,
        planDigest,
        planIs: planDigest,
        dry: false,
        mark: `mark-${lease.ref[1]}`,
      },
      steps: [],
      ...more,
    });
  }

  permit(lease: Admitted, more: Partial<AskedOp> = {}): void {
    const no = `nonce-${lease.ref[1]}-${more.s ?? 'act'}-${more.a ?? 1}`;
    this.tell(
      { op: 'permit', l: lease.ref, s: 'act', a: 1, n: lease.target, ch: true, ...more },
      { a: 'permit', bb: this.now + 15_000, bu: this.now + 60_000, no },
    );
  }

  /** A receipt: began now, took so many seconds. */
  act(lease: Admitted, seconds: number, more: Partial<ActionFact> = {}): void {
    const { execution } = lease;
    const nonce = `nonce-${lease.ref[1]}-act-1`;
    const ended = this.now + seconds * 1_000;
    const fact = { execution, step: 'act', attempt: 1, nonce, began: this.now, ended, status: 'done', ...more };
    this.actions.push({ activity: `${execution}/${fact.step}/${fact.attempt}/${nonce}`, ...fact });
  }

  prove(lease: Admitted, more: Partial<AskedOp> = {}): void {
    this.tell({ op: 'result', l: lease.ref, s: 'act', a: 1, ...more }, { a: 'ok' });
  }

  release(lease: Admitted, o = 'healed', given: Given = { a: 'ok' }): void {
    this.tell({ op: 'release', l: lease.ref, o }, given);
  }

  sweep(lease: Admitted, execution: string): void {
    this.journal.push({ kind: 'sweep', at: this.now, run: 'run-1', lease: lease.ref, execution });
  }

  /** Admitted, started, permitted, acted for so long, proven, released. */
  run(workflow: string, target: TargetFact, seconds = 1, more: Partial<AskedOp> = {}): Admitted {
    const lease = this.admit(workflow, target, more);
    this.start(lease);
    this.permit(lease);
    this.act(lease, seconds);
    this.pass(seconds);
    this.prove(lease);
    this.release(lease);
    return lease;
  }
}
