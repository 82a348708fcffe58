/**
 * The way of one remedy beside a bare Temporal workflow of the same shape, on one development server, in one run, taken in turns:
 * from the call until the action begins on the node, and how many are finished per second with fifty in flight.
 */
import os from 'node:os';
import { startBarePeer, type BarePeer } from './bare-peer.ts';
import { startBenchFleet, type BenchFleet, type Remedy } from './bench-fleet.ts';
import type { Bench } from './bench-run.ts';
import { hundredths, median, percentiles, type Percentiles } from './percentiles.ts';
import { cpuBetween, cpuOf, type CpuByGroup, type ProcessGroup } from './process-cost.ts';

const NODES = ['bench-1', 'bench-2', 'bench-3', 'bench-4'];
const IN_FLIGHT = 50;

type Size = {
  readonly warmUp: number;
  readonly samples: number;
  /** Windows of throughput on each side, taken in turns. */
  readonly windows: number;
  readonly settleMs: number;
  readonly windowMs: number;
};
const FULL: Size = { warmUp: 20, samples: 200, windows: 3, settleMs: 3_000, windowMs: 10_000 };
const QUICK: Size = { warmUp: 2, samples: 8, windows: 1, settleMs: 2_500, windowMs: 4_000 };

export const pathBench: Bench = async ({ quick, say }) => {
  const size = quick ? QUICK : FULL;
  await using stack = new AsyncDisposableStack();
  say('starting Temporal, a coordinator and four agents');
  const fleet = stack.use(await startBenchFleet(NODES));
  say('starting the bare peer');
  const bare = stack.use(await startBarePeer(fleet.site.temporal.address, fleet.site.dir));
  say(`latency: ${size.samples} of each, in turns`);
  const latency = await measureLatency(fleet, bare, size);
  say(
    `throughput: ${IN_FLIGHT} in flight, ${size.windows} windows of ${size.windowMs / 1000} s on each side, in turns`,
  );
  const throughput = await measureThroughput(fleet, bare, size, say);
  const json = { samples: size.samples, ...latency.json, in_flight: IN_FLIGHT, ...throughput.json };
  return { name: 'path', json, tables: [latency.table, ...throughput.tables], notes: throughput.notes };
};

const now = (): number => performance.timeOrigin + performance.now();

async function measureLatency(fleet: BenchFleet, bare: BarePeer, size: Size) {
  const bareBegins: number[] = [];
  const looks: Remedy[] = [];
  const changes: Remedy[] = [];
  for (let turn = -size.warmUp; turn < size.samples; turn += 1) {
    const node = fleet.nodes[(turn + size.warmUp) % fleet.nodes.length] ?? '';
    const asked = now();
    const began = await bare.run();
    const look = await fleet.remedy('look', node);
    const change = await fleet.remedy('change', node);
    if (turn < 0) continue;
    bareBegins.push(began - asked);
    looks.push(look);
    changes.push(change);
  }
  return latencyReport(bareBegins, looks, changes);
}

function latencyReport(bareBegins: readonly number[], looks: readonly Remedy[], changes: readonly Remedy[]) {
  const since = (remedies: readonly Remedy[], at: (remedy: Remedy) => number | null): Percentiles =>
    percentiles(remedies.map((one) => (at(one) ?? Number.NaN) - one.asked));
  const rows: readonly (readonly [label: string, key: string, Percentiles])[] = [
    ['bare: start → activity begins', 'bare', percentiles(bareBegins)],
    ['Fettle, a look: request → action begins', 'fettle', since(looks, (one) => one.began)],
    ['  request → answered 201', 'fettle_answered', since(looks, (one) => one.answered)],
    ['  request → permit given', 'fettle_permitted', since(looks, (one) => one.permitted)],
    ['  request → execution finished', 'fettle_finished', since(looks, (one) => one.finished)],
    ['Fettle, a change: request → action begins', 'fettle_change', since(changes, (one) => one.began)],
    [
      '  request → its command runs (ledger on disk)',
      'fettle_change_command',
      since(changes, (one) => one.commandBegan),
    ],
    ['  request → execution finished', 'fettle_change_finished', since(changes, (one) => one.finished)],
  ];
  const bareP50 = percentiles(bareBegins).p50;
  const json: Record<string, number> = {};
  for (const [, key, { p50, p95, p99 }] of rows) {
    Object.assign(json, { [`${key}_p50_ms`]: p50, [`${key}_p95_ms`]: p95, [`${key}_p99_ms`]: p99 });
  }
  json['ratio_p50'] = hundredths((json['fettle_p50_ms'] ?? Number.NaN) / bareP50);
  json['ratio_change_p50'] = hundredths((json['fettle_change_p50_ms'] ?? Number.NaN) / bareP50);
  const table = {
    title: 'latency, milliseconds',
    header: ['', 'p50', 'p95', 'p99', 'p50 ÷ bare'],
    rows: rows.map(([label, , one]) => [label, one.p50, one.p95, one.p99, hundredths(one.p50 / bareP50)]),
  };
  return { json, table };
}

type Window = { readonly perS: number; readonly cpuMsEach: CpuByGroup; readonly coresBusy: number };

async function measureThroughput(fleet: BenchFleet, bare: BarePeer, size: Size, say: (line: string) => void) {
  const own = { name: 'bench client', pids: [process.pid] };
  const fettleGroups = [...fleet.groups, own];
  const bareGroups = [...fleet.groups.slice(0, 1), { name: 'bare workers', pids: bare.pids }, own];
  const sides = { bare: [] as Window[], fettle: [] as Window[] };
  let turn = 0;
  const nextNode = (): string => fleet.nodes[(turn += 1) % fleet.nodes.length] ?? '';
  for (let i = 0; i < size.windows; i += 1) {
    sides.bare.push(await window(bare.run, bareGroups, size));
    sides.fettle.push(await window(() => fleet.remedy('look', nextNode()), fettleGroups, size));
    say(`  ${sides.bare.at(-1)?.perS} bare, ${sides.fettle.at(-1)?.perS} remedies per second`);
  }
  return throughputReport(sides.bare, sides.fettle);
}

/** Keeps so many in flight, and counts those that finish within the window after settling. */
async function window(run: () => Promise<unknown>, groups: readonly ProcessGroup[], size: Size): Promise<Window> {
  const state = { finished: 0, over: false };
  const loop = async (): Promise<void> => {
    while (!state.over) {
      await run();
      state.finished += 1;
    }
  };
  const loops = Promise.all(Array.from({ length: IN_FLIGHT }, loop));
  // A loop that fails ends the window at once, not when it would have ended.
  const pause = (ms: number): Promise<unknown> => Promise.race([loops, new Promise((done) => setTimeout(done, ms))]);
  try {
    await pause(size.settleMs);
    const [before, finishedBefore, from] = [await cpuOf(groups), state.finished, performance.now()];
    await pause(size.windowMs);
    const [after, finished, ms] = [await cpuOf(groups), state.finished - finishedBefore, performance.now() - from];
    const used = cpuBetween(before, after);
    const each = Object.entries(used).map(([name, s]) => [name, hundredths((s * 1000) / Math.max(1, finished))]);
    const total = Object.values(used).reduce((sum, s) => sum + s, 0);
    return {
      perS: hundredths((finished * 1000) / ms),
      cpuMsEach: Object.fromEntries(each),
      coresBusy: hundredths((total * 1000) / ms),
    };
  } finally {
    state.over = true;
    await loops;
  }
}

function throughputReport(bare: readonly Window[], fettle: readonly Window[]) {
  const bareRate = median(bare.map((one) => one.perS));
  const fettleRate = median(fettle.map((one) => one.perS));
  const costs = { bare: medianCost(bare), fettle: medianCost(fettle) };
  const coresBusy = median(fettle.map((one) => one.coresBusy));
  const bottleneck = nameBottleneck(costs.fettle, coresBusy);
  const json = {
    bare_per_s: bareRate,
    fettle_per_s: fettleRate,
    ratio_throughput: hundredths(fettleRate / bareRate),
    cpu_ms_per_bare: costs.bare,
    cpu_ms_per_remedy: costs.fettle,
    cores_busy: coresBusy,
    bottleneck,
  };
  const rates = {
    title: `throughput with ${IN_FLIGHT} in flight, finished per second`,
    header: ['', 'per second', '÷ bare'],
    rows: [
      ['bare: start → activity → complete', bareRate, 1],
      ['Fettle: request → admitted → permit → action → receipt → release', fettleRate, json.ratio_throughput],
    ],
  };
  const names = [...new Set([...Object.keys(costs.bare), ...Object.keys(costs.fettle)])];
  const cpu = {
    title: 'CPU under that load, milliseconds for each finished',
    header: ['', 'bare', 'Fettle'],
    rows: names.map((name) => [name, costs.bare[name] ?? '-', costs.fettle[name] ?? '-']),
  };
  return { json, tables: [rates, cpu], notes: [`bottleneck: ${bottleneck}`] };
}

function medianCost(windows: readonly Window[]): CpuByGroup {
  const names = Object.keys(windows[0]?.cpuMsEach ?? {});
  return Object.fromEntries(names.map((name) => [name, median(windows.map((one) => one.cpuMsEach[name] ?? 0))]));
}

/** The largest consumer; whether the machine as a whole was full says if taking from it makes anything faster. */
function nameBottleneck(cost: CpuByGroup, coresBusy: number): string {
  const total = Object.values(cost).reduce((sum, one) => sum + one, 0);
  const [name = 'nothing', most = 0] = Object.entries(cost).toSorted(([, a], [, b]) => b - a)[0] ?? [];
  const share = Math.round((most / total) * 100);
  const cores = os.availableParallelism();
  const full = coresBusy > cores * 0.85 ? 'the CPU is full' : 'the CPU is not full';
  return `${name}: ${share}% of all CPU time spent on remedies; ${coresBusy} of ${cores} cores busy, so ${full}`;
}
