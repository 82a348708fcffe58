import { setTimeout as sleep } from 'node:timers/promises';
import type { Scalar } from '../../workflows/contract.ts';
import { isRunning, type ProcessMark, readProcess } from '../procfs.ts';
import { RefusalError } from '../refusal.ts';
import { type Action, type ActionEnd, type ActionRun, factsOnly } from './action.ts';
import { argumentCheck } from './argument-check.ts';
import {
  askedFor,
  type Criteria,
  criteriaOf,
  type Match,
  processTable,
  select,
  stillFits,
  sums,
} from './process-selection.ts';

const check = argumentCheck('process.kill');

type Wish = {
  readonly criteria: Criteria;
  readonly signal: NodeJS.Signals;
  readonly thenKill: boolean;
  readonly graceMs: number;
  readonly max: number;
  readonly asked: Readonly<Record<string, Scalar>>;
};

/** Ends processes of one unit, or of one executable from a minimum age on; a few at most, and none of those that hold the host up. */
export const processKill: Action = {
  name: 'process.kill',
  capped: true,
  page: {
    about: [
      'By `unit`, or by `exe` with `min_age_s`. When more processes match than `max`, none is signalled. Never signalled: pid 1, kernel threads, Fettle itself and what it stands on. A process is told by its number and start time, looked at right before and right after each signal.',
      'It fails when one still runs after KILL. With `then_kill = false` nothing has to end: `signal = "QUIT"` makes many programs write their stacks.',
    ],
    facts: {
      'unit, exe, signal': 'as asked',
      'before_matched, before_rss_mb, before_cpu_percent, before_oldest_age_s': 'of the processes that fit',
      'ended, killed': 'after the first signal; after KILL',
      'gone_before, not_permitted, after_running':
        'gone before they were signalled; of another user, without the root helper; still there',
      signalled: '0: the host had changed since it was looked at',
    },
    rehearsal: 'the processes it would signal.',
    example: { exe: '/usr/bin/convert', min_age_s: 3600, min_rss_mb: 1024 },
  },
  prepare(args) {
    const wish = wishOf(check(args));
    return {
      admit: async () => void (await victims(wish)),
      rehearse: () => rehearse(wish),
      run: (run) => kill(wish, run),
      worksOn: async () => false,
    };
  },
};

function wishOf(args: Readonly<Record<string, Scalar>>): Wish {
  const { unit, exe, min_age_s: age, signal, then_kill: thenKill, grace_s: grace, max } = args;
  const refuse = (why: string): RefusalError => new RefusalError('args_invalid', `process.kill: ${why}`);
  if (unit === undefined && exe === undefined) throw refuse('takes unit, or exe and min_age_s');
  if (unit === undefined && age === undefined) throw refuse('by exe alone it takes min_age_s too');
  return {
    criteria: criteriaOf(args),
    signal: `SIG${String(signal)}` as NodeJS.Signals,
    thenKill: thenKill === true,
    graceMs: Number(grace) * 1000,
    max: Number(max),
    asked: askedFor(args),
  };
}

/** All that would be signalled. @throws RefusalError `host_state` when they are too many, or only such as must not be */
async function victims({ criteria, max }: Wish): Promise<Match[]> {
  const matches = await select(criteria);
  const found = matches.filter(({ spared }) => spared === null);
  const refuse = (why: string): RefusalError => new RefusalError('host_state', `process.kill: ${why}`);
  if (found.length > max) {
    const pids = found.slice(0, 10).map(({ mark }) => mark.pid);
    const more = found.length > pids.length ? ', ...' : '';
    throw refuse(`${found.length} processes match and max is ${max}; none is signalled (${pids.join(', ')}${more})`);
  }
  const [first] = matches;
  if (found.length === 0 && first !== undefined)
    throw refuse(`what matches is never signalled: ${matches.length} in all, pid ${first.mark.pid} is ${first.spared}`);
  return found;
}

async function rehearse(wish: Wish) {
  const found = await victims(wish);
  const { signal, thenKill, graceMs } = wish;
  const then = thenKill && signal !== 'SIGKILL' ? `, and KILL to what still runs ${graceMs / 1000} s later` : '';
  const would =
    found.length === 0
      ? 'no process matches: nothing would be signalled'
      : `would send ${signal.slice(3)} to pid ${found.map(({ mark }) => mark.pid).join(', ')}${then}`;
  const facts = prefixed('before_', sums(found));
  return factsOnly({ ...wish.asked, ...facts }, `${would}\n${found.length === 0 ? '' : processTable(found)}`);
}

const prefixed = (prefix: string, facts: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(facts).map(([name, value]) => [prefix + name, value]));

type Sent = 'sent' | 'gone before' | 'not permitted' | 'doubtful';
type Fate = Exclude<Sent, 'sent'> | 'ended' | 'killed' | 'still running';

async function kill(wish: Wish, run: ActionRun): Promise<ActionEnd> {
  const deadline = performance.now() + run.timeoutMs;
  const found = await victims(wish).catch((error: unknown) => {
    if (error instanceof RefusalError) return error;
    throw error;
  });
  if (found instanceof RefusalError) {
    const output = factsOnly({ ...wish.asked, signalled: 0 });
    return { status: 'failed', code: 'exit', message: `the host has changed since: ${found.message}`, output };
  }
  const fates = new Map<Match, Fate>();
  const signalled = found.filter((match) => {
    const sent = send(wish, match.mark, wish.signal);
    fates.set(match, sent === 'sent' ? 'ended' : sent);
    return sent === 'sent';
  });
  await gone(signalled, Math.min(wish.graceMs, deadline - performance.now()), run.signal);
  let left = signalled.filter(({ mark }) => isRunning(mark));
  const mayKill = wish.thenKill && !run.signal.aborted;
  if (left.length > 0 && mayKill) {
    for (const match of left) fates.set(match, send(wish, match.mark, 'SIGKILL') === 'sent' ? 'killed' : 'ended');
    await gone(left, Math.min(LAST_WAIT_MS, deadline - performance.now()), run.signal);
    left = left.filter(({ mark }) => isRunning(mark));
  }
  for (const match of left) fates.set(match, 'still running');
  return endOf(wish, run, found, fates);
}
/** What KILL was sent to goes at once, unless it hangs in the kernel. */
const LAST_WAIT_MS = 5000;

/**
 * To this very process and no other that was given its number: it is looked at right before, and again right after. Between looks the
 * number would have to be free, and every other number of the host to have been given out.
 */
function send({ criteria }: Wish, mark: ProcessMark, signal: NodeJS.Signals): Sent {
  if (!stillFits(criteria, mark) || readProcess(mark.pid)?.mark.startTime !== mark.startTime) return 'gone before';
  try {
    process.kill(mark.pid, signal);
    const after = readProcess(mark.pid)?.mark.startTime ?? mark.startTime;
    return after === mark.startTime ? 'sent' : 'doubtful';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? 'not permitted' : 'gone before';
  }
}

async function gone(matches: readonly Match[], forMs: number, signal: AbortSignal): Promise<void> {
  const until = performance.now() + forMs;
  while (matches.some(({ mark }) => isRunning(mark)) && performance.now() < until && !signal.aborted)
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
}
const POLL_MS = 50;

function endOf(wish: Wish, run: ActionRun, found: readonly Match[], fates: ReadonlyMap<Match, Fate>): ActionEnd {
  const count = (fate: Fate): number => [...fates.values()].filter((one) => one === fate).length;
  const facts = {
    ...wish.asked,
    signal: wish.signal.slice(3),
    ...prefixed('before_', sums(found)),
    ended: count('ended'),
    killed: count('killed'),
    gone_before: count('gone before'),
    not_permitted: count('not permitted'),
    after_running: count('still running') + count('not permitted'),
  };
  const table =
    found.length === 0 ? 'no process matched\n' : processTable(found, { fate: (match) => fates.get(match)! });
  const output = factsOnly(facts, table);
  const failed = (code: 'exit' | 'cancelled', message: string): ActionEnd => ({
    status: 'failed',
    code,
    message,
    output,
  });
  if (facts.not_permitted > 0) return failed('exit', 'this agent may not signal all of them; it needs its root helper');
  if (count('doubtful') > 0)
    return failed('exit', 'a process ended as it was to be signalled, and another has its number');
  const living = facts.after_running > 0 && (wish.thenKill || wish.signal === 'SIGKILL');
  if (!living) return { status: 'done', output };
  if (run.signal.aborted) return failed('cancelled', `cancelled while ${facts.after_running} still ran`);
  const stuck = found.filter(({ mark }) => isRunning(mark)).map(({ mark }) => mark.pid);
  return failed('exit', `still running after KILL, in the kernel perhaps: pid ${stuck.join(', ')}`);
}
