/**
 * Admissions through one gate on a development server, without HTTP: many callers through gate clients, beside one request per Update, a bare Update
 * of a workflow that does nothing, and the way without a gate: count by Visibility, then start.
 */
import { gateWorkflowId } from '../workflows/contract.ts';
import type { GateClient } from '../coordinator/gate/gate-client.ts';
import { startBarePeer, type BarePeer } from './bare-peer.ts';
import type { Bench, Table } from './bench-run.ts';
import { measureTakeover, type Takeover } from './gate-takeover.ts';
import { DOMAIN, startGateHouse, type GateHouse } from './gate-house.ts';
import { announcement, askFor, giveBack, LIMITS, randomNode, runCallers, WORKFLOW, type Load } from './gate-load.ts';
import { countOverAdmissions } from '../test/support/over-admissions.ts';
import { httpJson, httpTable, measureHttp, type HttpDecisions } from './http-decisions.ts';
import { hundredths, median, percentiles } from './percentiles.ts';
import { cpuBetween, cpuOf, type ProcessGroup } from './process-cost.ts';
import { singleUpdates } from './single-updates.ts';
import { checkThenStart } from './visibility-peer.ts';

const CALLERS = [1, 10, 100, 1_000];
const COORDINATORS = 2;
/** Requests against a limit of so many running, fifty at once. */
const UNGUARDED = { requests: 500, atOnce: 50, limit: 50 };

type Size = { readonly samples: number; readonly settleMs: number; readonly windowMs: number; readonly turns: number };
const FULL: Size = { samples: 150, settleMs: 1_500, windowMs: 8_000, turns: 3 };
const QUICK: Size = { samples: 10, settleMs: 500, windowMs: 1_500, turns: 1 };

export const gateBench: Bench = async ({ quick, say }) => {
  const size = quick ? QUICK : FULL;
  await using stack = new AsyncDisposableStack();
  say('starting Temporal, the gate and a bare workflow');
  const house = stack.use(await startGateHouse());
  const bare = stack.use(await startBarePeer(house.server.address, house.dir));
  const worker = await house.startWorker('c1');
  const gates = await Promise.all(Array.from({ length: COORDINATORS }, (_, n) => house.client(`c${n + 1}`)));
  await gates[0]?.submit(announcement());
  say(`idle: ${size.samples} admissions and bare Updates, in turns`);
  const idle = await measureIdle(gates, bare, size.samples);
  const groups: ProcessGroup[] = [
    { name: 'temporal server', pids: [house.server.process().pid] },
    { name: "the gate's Workers", pids: [worker.pid] },
    { name: 'callers and gate clients', pids: [process.pid] },
  ];
  say(
    `${CALLERS.join(', ')} callers, ${size.turns} times ${size.windowMs / 1000} s each; single Updates in turns with them`,
  );
  const turns: Turn[] = [];
  for (let turn = 0; turn < size.turns; turn += 1) turns.push(await measureTurn(house, gates, groups, size));
  say('count by Visibility, then start');
  const visibility = await checkThenStart(house.control, UNGUARDED);
  say("a coordinator that hosts the gate's Worker is killed");
  const takeover = await measureTakeover(house, worker, gates);
  say("counting from the gate's history");
  const limits = { perNode: 1, global: LIMITS[2].v };
  const counted = await countOverAdmissions(house.control, gateWorkflowId(DOMAIN), WORKFLOW, limits);
  await stack.disposeAsync();
  say('through the HTTP API of two coordinators');
  const http = await measureHttp(size.settleMs, size.windowMs);
  return report({ idle, turns, visibility, takeover, counted, http });
};

type Idle = { readonly ours: readonly number[]; readonly bare: readonly number[] };

async function measureIdle(gates: readonly GateClient[], bare: BarePeer, samples: number): Promise<Idle> {
  const [gate] = gates;
  if (gate === undefined) throw new Error('no gate client');
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let turn = -10; turn < samples; turn += 1) {
    const began = performance.now();
    const answer = await gate.submit(askFor(randomNode()));
    const between = performance.now();
    await bare.update();
    const ended = performance.now();
    if (answer.a === 'admitted') await gate.submit(giveBack(answer.l));
    if (turn < 0) continue;
    ours.push(between - began);
    theirs.push(ended - between);
  }
  return { ours, bare: theirs };
}

type Turn = {
  readonly single: number;
  readonly single50: number;
  readonly loads: ReadonlyMap<number, Load>;
  /** Under the most callers: seconds of each group of processes, and of the clock. */
  readonly cpu: Readonly<Record<string, number>>;
  readonly seconds: number;
};

async function measureTurn(
  house: GateHouse,
  gates: readonly GateClient[],
  groups: readonly ProcessGroup[],
  size: Size,
): Promise<Turn> {
  const single = await singleUpdates(house.control, 1, size.windowMs / 2);
  const single50 = await singleUpdates(house.control, 50, size.windowMs / 2);
  const loads = new Map<number, Load>();
  let [cpu, seconds] = [{}, 0];
  for (const callers of CALLERS) {
    const [before, from] = [await cpuOf(groups), performance.now()];
    loads.set(callers, await runCallers(gates, callers, size));
    cpu = cpuBetween(before, await cpuOf(groups));
    seconds = (performance.now() - from) / 1000;
  }
  return { single, single50, loads, cpu, seconds };
}

type Measured = {
  readonly idle: Idle;
  readonly turns: readonly Turn[];
  readonly visibility: Awaited<ReturnType<typeof checkThenStart>>;
  readonly takeover: Takeover;
  readonly counted: Awaited<ReturnType<typeof countOverAdmissions>>;
  readonly http: HttpDecisions;
};

function report(measured: Measured) {
  const { idle, turns, visibility, takeover, counted, http } = measured;
  const rate = (callers: number): number =>
    Math.round(
      median(turns.map(({ loads }) => (loads.get(callers)?.admitted ?? 0) / (loads.get(callers)?.seconds ?? 1))),
    );
  const times = (callers: number) => percentiles(turns.flatMap(({ loads }) => loads.get(callers)?.latencies ?? []));
  const single = median(turns.map((turn) => turn.single));
  const single50 = median(turns.map((turn) => turn.single50));
  const best = Math.max(...CALLERS.map(rate));
  const [ours, floor] = [percentiles(idle.ours), percentiles(idle.bare)];
  const sum = (of: (load: Load) => number): number =>
    turns.flatMap(({ loads }) => [...loads.values()]).reduce((total, load) => total + of(load), 0);
  const json = {
    admissions_per_s: best,
    single_update_per_s: single,
    ratio: hundredths(best / single),
    single_updates_50_at_once_per_s: single50,
    ratio_50_at_once: hundredths(best / single50),
    by_callers: CALLERS.map((callers) => ({ callers, admissions_per_s: rate(callers), ...named(times(callers)) })),
    idle: { ...named(ours), bare_update_p50_ms: floor.p50, ratio_p50: hundredths(ours.p50 / floor.p50) },
    admitted: counted.admitted,
    refused: sum((load) => load.refused),
    too_old: sum((load) => load.tooOld),
    over_admissions: counted.overAdmissions,
    decided_twice: counted.doubled,
    most_open: counted.most,
    visibility_over_admissions: Math.max(0, visibility.started - UNGUARDED.limit),
    visibility_checks_per_s: visibility.perSecond,
    takeover,
    http: httpJson(http),
  };
  const rates: Table = {
    title: 'admissions with three limits through one gate; latency in milliseconds',
    header: ['', 'per second', '÷ single Updates', 'p50', 'p95', 'p99'],
    rows: [
      ['one request per Update, one after the other', single, 1, '', '', ''],
      ['one request per Update, 50 at once', single50, hundredths(single50 / single), '', '', ''],
      ...CALLERS.map((callers) => {
        const { p50, p95, p99 } = times(callers);
        return [`${callers} callers`, rate(callers), hundredths(rate(callers) / single), p50, p95, p99];
      }),
    ],
  };
  const alone: Table = {
    title: 'idle: one at a time, milliseconds',
    header: ['', 'p50', 'p95', 'p99', 'p50 ÷ bare'],
    rows: [
      ['a bare Update of a workflow that does nothing', floor.p50, floor.p95, floor.p99, 1],
      ['an admission with three limits', ours.p50, ours.p95, ours.p99, hundredths(ours.p50 / floor.p50)],
    ],
  };
  return { name: 'gate', json, tables: [rates, alone, cpuTable(turns), httpTable(http)], notes: notesOf(json) };
}

const named = ({ p50, p95, p99 }: ReturnType<typeof percentiles>) => ({ p50_ms: p50, p95_ms: p95, p99_ms: p99 });

function cpuTable(turns: readonly Turn[]): Table {
  const names = Object.keys(turns[0]?.cpu ?? {});
  const most = Math.max(...CALLERS);
  const of = (turn: Turn, name: string): number => turn.cpu[name] ?? 0;
  return {
    title: `CPU under ${most} callers`,
    header: ['', 'cores busy', 'µs for each admission'],
    rows: names.map((name) => [
      name,
      hundredths(median(turns.map((turn) => of(turn, name) / turn.seconds))),
      Math.round(
        median(
          turns.map(
            (turn) =>
              (of(turn, name) /
                turn.seconds /
                ((turn.loads.get(most)?.admitted ?? 1) / (turn.loads.get(most)?.seconds ?? 1))) *
              1e6,
          ),
        ),
      ),
    ]),
  };
}

const notesOf = (json: Readonly<Record<string, unknown>> & { readonly takeover: Takeover }): string[] => [
  `By the gate's history: ${String(json['admitted'])} admitted, ${String(json['over_admissions'])} over a limit, ${String(json['decided_twice'])} decided twice.`,
  `A coordinator that hosts the gate killed under load: ${json.takeover.gap_ms} ms without a decision, ${json.takeover.unanswered} callers without an answer.`,
  `Counted by Visibility and then started: ${String(json['visibility_over_admissions'])} more than the limit of ${UNGUARDED.limit}.`,
];
