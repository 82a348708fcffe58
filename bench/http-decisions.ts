/** Decisions through the HTTP API: two coordinators as processes of their own, callers over mTLS, and what each process costs. */
import type { CoordinatorClient } from '../identity/coordinator-client.ts';
import type { Table } from './bench-run.ts';
import { hundredths, percentiles, type Percentiles } from './percentiles.ts';
import { cpuBetween, cpuOf, type CpuByGroup } from './process-cost.ts';
import { startStormFleet, type StormFleet } from './storm-fleet.ts';

const CALLERS = 100;

export type HttpLoad = {
  readonly perSecond: number;
  readonly times: Percentiles;
  /** Seconds of CPU for each second, by group of processes. */
  readonly cores: CpuByGroup;
};

export type HttpDecisions = {
  /** All but the first of them refused: nothing is started. */
  readonly refused: HttpLoad;
  /** All admitted, started and run. */
  readonly admitted: HttpLoad;
};

export async function measureHttp(settleMs: number, windowMs: number): Promise<HttpDecisions> {
  await using fleet = await startStormFleet();
  const refused = await loadOf(fleet, 'once', settleMs, windowMs);
  const admitted = await loadOf(fleet, 'often', settleMs, windowMs);
  return { refused, admitted };
}

async function loadOf(fleet: StormFleet, workflow: string, settleMs: number, windowMs: number): Promise<HttpLoad> {
  const took: number[] = [];
  let asked = 0;
  const from = performance.now() + settleMs;
  const until = from + windowMs;
  const caller = async (client: CoordinatorClient): Promise<void> => {
    while (performance.now() < until) {
      const node = fleet.nodes[(asked += 1) % fleet.nodes.length] ?? '';
      const began = performance.now();
      await client.request({ workflow, target: { node } });
      const ended = performance.now();
      if (ended >= from && ended < until) took.push(ended - began);
    }
  };
  const callers = Array.from({ length: CALLERS }, (_, index) => {
    const client = fleet.clients[index % fleet.clients.length];
    return client === undefined ? Promise.resolve() : caller(client);
  });
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const before = await cpuOf(fleet.groups);
  await new Promise((resolve) => setTimeout(resolve, windowMs));
  const used = cpuBetween(before, await cpuOf(fleet.groups));
  await Promise.all(callers);
  const seconds = windowMs / 1000;
  const cores = Object.fromEntries(Object.entries(used).map(([name, s]) => [name, hundredths(s / seconds)]));
  return { perSecond: Math.round(took.length / seconds), times: percentiles(took), cores };
}

export const httpJson = ({ refused, admitted }: HttpDecisions) => ({
  callers: CALLERS,
  decisions_per_s: refused.perSecond,
  decisions_p50_ms: refused.times.p50,
  decisions_p99_ms: refused.times.p99,
  decisions_cores: refused.cores,
  admissions_per_s: admitted.perSecond,
  admissions_p50_ms: admitted.times.p50,
  admissions_p99_ms: admitted.times.p99,
  admissions_cores: admitted.cores,
});

export const httpTable = ({ refused, admitted }: HttpDecisions): Table => ({
  title: `through the HTTP API: two coordinators, ${CALLERS} callers over mTLS, three limits; cores busy by process`,
  header: ['', 'per second', 'p50 ms', 'p99 ms', ...Object.keys(refused.cores)],
  rows: [
    ['refused', refused.perSecond, refused.times.p50, refused.times.p99, ...Object.values(refused.cores)],
    [
      'admitted, started and run',
      admitted.perSecond,
      admitted.times.p50,
      admitted.times.p99,
      ...Object.values(admitted.cores),
    ],
  ],
});
