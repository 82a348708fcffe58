/** What held at each moment of the gate's record: limits with their versions, pauses, windows. Fed with the record in its order. */
import type { LimitRef, PauseScope, TargetRef } from '../../workflows/gate/operations.ts';
import type { Snapshot } from '../../workflows/gate/snapshot.ts';
import type { WindowHeld } from '../../workflows/gate/state.ts';
import { fits } from '../../workflows/gate/windows.ts';
import type { Entry } from './gate-runs.ts';

export type Paused = {
  readonly id: string;
  readonly scope: PauseScope;
  readonly by: string;
  readonly why: string;
  readonly since: number;
  readonly until: number | null;
};

export class InForce {
  readonly #limits = new Map<string, { readonly version: number; readonly limits: readonly LimitRef[] }>();
  readonly #pauses = new Map<string, Paused>();
  readonly #windows = new Map<string, WindowHeld>();

  constructor(snapshot: Snapshot | null) {
    // Members of a snapshot that an older gate wrote may be missing.
    const { rulings = [], pauses = [], windows = [] } = (snapshot ?? {}) as Partial<Snapshot>;
    for (const [workflow, version, limits] of rulings) this.#limits.set(workflow, { version, limits });
    for (const [id, scope, by, why, since, until] of pauses) this.#pauses.set(id, { id, scope, by, why, since, until });
    for (const window of windows) this.#windows.set(window.name, window);
  }

  /** Takes in what was decided: call it after the entry itself was looked at. */
  note({ at, op, answer }: Entry): void {
    if (answer.a === 'limits' && op.op === 'definitions' && answer.lim !== undefined)
      this.#limits.set(op.w, { version: answer.v, limits: answer.lim });
    if (answer.a !== 'ok') return;
    if (op.op === 'pause')
      this.#pauses.set(op.id, { id: op.id, scope: op.sc, by: op.by, why: op.why, since: at, until: op.until ?? null });
    if (op.op === 'resume') this.#pauses.delete(op.pause);
    if (op.op === 'window') {
      const { nm: name, sc: scope, f: from, u: until, src, by, why = '' } = op;
      this.#windows.set(name, { name, scope, from, until, byPerson: src === 'p', by, why });
    }
    if (op.op === 'unwindow') this.#windows.delete(op.nm);
  }

  /** The limits of that version; null when the record does not tell them. */
  limits(workflow: string, version: number | undefined): readonly LimitRef[] | null {
    const known = this.#limits.get(workflow);
    return known !== undefined && known.version === version ? known.limits : null;
  }

  pausesOver(workflow: string, target: TargetRef, at: number): Paused[] {
    return [...this.#pauses.values()].filter(
      ({ scope, until }) => (until === null || until > at) && covers(scope, workflow, target),
    );
  }

  windowsOver(workflow: string, target: TargetRef, at: number): WindowHeld[] {
    return [...this.#windows.values()].filter(
      ({ scope, from, until }) => from <= at && at < until && fits(scope, workflow, target),
    );
  }
}

function covers({ k, v }: PauseScope, workflow: string, target: TargetRef): boolean {
  const wanted: Readonly<Record<PauseScope['k'], string | undefined>> = {
    all: v,
    w: workflow,
    n: target.n,
    y: target.y,
    c: target.c,
  };
  return wanted[k] === v;
}
