import type { RunningProcess } from '../test/support/processes.ts';
import { cpuNanoseconds, memoryOf } from './process-cost.ts';
import { thousandths } from './percentiles.ts';

export type Idle = { readonly rssMb: number; readonly privateMb: number; readonly cpuPercent: number };

/** After a start its garbage is collected once more, some ten seconds later. */
const SETTLE_MS = 20_000;

/** CPU over the time, memory at its end. */
export async function watchIdle<Name extends string>(
  processes: Readonly<Record<Name, RunningProcess>>,
  idleMs: number,
): Promise<Record<Name, Idle>> {
  const watch = async ([name, { pid }]: [string, RunningProcess]): Promise<[string, Idle]> => {
    const [before, from] = [await cpuNanoseconds(pid), performance.now()];
    await new Promise((done) => setTimeout(done, idleMs));
    const ms = ((await cpuNanoseconds(pid)) - before) / 1e6;
    const { rssMb, privateMb } = await memoryOf(pid);
    return [name, { rssMb, privateMb, cpuPercent: thousandths((100 * ms) / (performance.now() - from)) }];
  };
  await new Promise((done) => setTimeout(done, Math.min(SETTLE_MS, idleMs)));
  const watched = await Promise.all(Object.entries<RunningProcess>(processes).map(watch));
  // Its keys are those of `processes`.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.fromEntries(watched) as Record<Name, Idle>;
}
