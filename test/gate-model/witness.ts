/**
 * Looks only at what really happens, as the world outside the gate would see it: admissions, starts as late as they may be, permits, ends. It
 * knows what a limit promises, and nothing of how either side keeps it.
 */
import assert from 'node:assert/strict';
import type {
  Answer,
  Ask,
  FleetReport,
  LeaseRef,
  LimitRef,
  Operation,
  TargetRef,
} from '../../workflows/gate/operations.ts';
import { roomOf } from './reference-limits.ts';

type Run = {
  readonly ref: LeaseRef;
  readonly w: string;
  readonly t: TargetRef;
  readonly at: number;
  readonly limits: readonly LimitRef[];
  /** Workflows that shared each fleet-wide limit when it was admitted. */
  readonly covered: ReadonlyMap<string, readonly string[]>;
  /** When its execution really began. */
  start: number | null;
  permitted: boolean;
  end: number | null;
  readonly nodes: Set<string>;
};

export class Witness {
  readonly #nodes: readonly TargetRef[];
  readonly #runs: Run[] = [];
  readonly #limits = new Map<string, readonly LimitRef[]>();
  readonly #changing = new Map<string, boolean>();
  readonly #reports: (FleetReport & { heard: number })[] = [];

  readonly #given = new Set<string>();

  constructor(nodes: readonly TargetRef[]) {
    this.#nodes = nodes;
  }

  /** Its execution begins, up to `late` after its admission. */
  starts(ref: LeaseRef, now: number, late: number): void {
    const run = this.#find(ref);
    if (run !== undefined) run.start ??= Math.min(now, run.at + late);
  }

  /** What is no longer among the living has ended. */
  living(keys: ReadonlySet<string>, now: number): void {
    for (const run of this.#runs) if (run.end === null && !keys.has(String(run.ref))) run.end = now;
  }

  hears(operation: Operation, answer: Answer, now: number): void {
    if (operation.op === 'definitions' && answer.a === 'limits') {
      if (answer.lim !== undefined) this.#limits.set(operation.w, answer.lim);
      this.#changing.set(`${operation.w} ${operation.d}`, operation.ch);
    }
    if (operation.op === 'fleet' && answer.a === 'ok') this.#reports.push({ ...operation, heard: now });
    if (operation.op === 'ask' && answer.a === 'admitted' && answer.known !== true && operation.dry !== true)
      this.#admitted(operation, answer.l, now);
    // Asked again, a permit is the one that was given before.
    if (operation.op !== 'permit' || answer.a !== 'permit' || this.#given.has(operation.id)) return;
    this.#given.add(operation.id);
    const run = this.#find(operation.l);
    if (run === undefined) return;
    run.permitted = true;
    run.start ??= now;
    if (operation.ch === true) this.#takes(run, operation.n);
  }

  #admitted(operation: Ask, ref: LeaseRef, at: number): void {
    const { w, t, d } = operation;
    const limits = this.#limits.get(w) ?? [];
    const groups = [...new Set(limits.flatMap(({ g }) => g ?? []))];
    const sharing = (g: string): string[] =>
      [...this.#limits].filter(([, list]) => list.some((limit) => limit.g === g)).map(([name]) => name);
    const covered = new Map(groups.map((g) => [g, sharing(g)]));
    const run: Run = { ref, w, t, at, limits, covered, start: null, permitted: false, end: null, nodes: new Set() };
    this.#runs.push(run);
    if (t.n !== undefined && this.#changing.get(`${w} ${d}`) === true) this.#takes(run, t.n);
    for (const limit of limits) this.#checkAt(run, limit);
  }

  /** One change at a time on a node, over all workflows. */
  #takes(run: Run, node: string): void {
    const others = this.#runs.filter((other) => other !== run && other.end === null && other.nodes.has(node));
    assert.deepEqual(
      others.map(({ ref }) => ref),
      [],
      `${node} is changed by two at once`,
    );
    run.nodes.add(node);
  }

  #checkAt(run: Run, limit: LimitRef): void {
    const others = this.#sharing(run, limit);
    const open = others.filter(({ end }) => end === null);
    if (limit.k === 'c') assert.ok(open.length < limit.v, `${open.length + 1} held, ${limit.v} may be`);
    if (limit.k === 'd') {
      assert.equal(open.length, 0, 'one is held during a cooldown');
      for (const { end, permitted } of others)
        assert.ok(
          !permitted || end === null || end + limit.p <= run.at,
          `the last one ended ${run.at - (end ?? 0)} ms ago`,
        );
    }
    if (limit.k === 'u') this.#checkFloor(run, limit);
  }

  /** By what each reporter alone has said: as many as may be are down or held, the new one's target among them. */
  #checkFloor(run: Run, limit: LimitRef): void {
    const here = ({ n }: TargetRef): boolean => {
      const node = this.#nodes.find((one) => one.n === n);
      return node !== undefined && roomOf(limit.s, node) === roomOf(limit.s, run.t);
    };
    const held = this.#runs.filter(({ end }) => end === null).flatMap(({ nodes }) => [...nodes]);
    const latest = this.#reports.filter(
      ({ heard, tot, dn }) => heard + 60_000 >= run.at && tot !== undefined && dn !== undefined,
    );
    assert.ok(
      this.#reports.some(({ heard }) => heard + 60_000 >= run.at),
      'nobody has reported the fleet for a minute',
    );
    for (const report of latest.filter(
      ({ r, of, v }) => of === 1 && !this.#reports.some((other) => other.r === r && other.v > v),
    )) {
      const out = new Set([...(report.dn ?? []), ...held, ...(run.t.n === undefined ? [] : [run.t.n])]);
      const unavailable = [...out].filter((n) => here({ k: 'n', n })).length;
      const total = totalOf(report.tot, roomOf(limit.s, run.t));
      const allowed = limit.pc === true ? Math.floor((total * limit.v) / 100) : limit.v;
      // A node that was down or held before is no further loss: it may be healed even when too many are.
      const before = new Set([...(report.dn ?? []), ...held.filter((n) => n !== run.t.n)]);
      if (run.t.n !== undefined && before.has(run.t.n)) continue;
      assert.ok(unavailable <= allowed, `${unavailable} unavailable, ${allowed} may be`);
    }
  }

  /** Once all is over: no window of a period holds more real starts than the limit allowed when the last of them was admitted. */
  ends(): void {
    for (const run of this.#runs) {
      const { start } = run;
      if (!run.permitted || start === null) continue;
      for (const limit of run.limits) {
        if (limit.k !== 'm') continue;
        const within = this.#sharing(run, limit).filter(
          (other) => other.permitted && this.#before(other, run) && (other.start ?? 0) + limit.p >= start,
        );
        assert.ok(within.length < limit.v, `${within.length + 1} starts within ${limit.p} ms, ${limit.v} may be`);
      }
    }
  }

  #sharing(run: Run, limit: LimitRef): Run[] {
    const covered = limit.g === undefined ? [run.w] : (run.covered.get(limit.g) ?? []);
    const room = roomOf(limit.s, run.t);
    return this.#runs.filter(
      (other) => other !== run && covered.includes(other.w) && roomOf(limit.s, other.t) === room,
    );
  }

  readonly #before = (a: Run, b: Run): boolean => this.#runs.indexOf(a) < this.#runs.indexOf(b);

  #find(ref: LeaseRef): Run | undefined {
    return this.#runs.find((run) => String(run.ref) === String(ref));
  }
}

const totalOf = (tot: FleetReport['tot'], room: string): number =>
  tot?.find(([key]) => key === room)?.[1] ?? Number.MAX_SAFE_INTEGER;
