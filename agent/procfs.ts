import { readdirSync, readFileSync } from 'node:fs';

/** One run of one process id: ids are used again, a pair of id and start time is not (within one boot). */
export type ProcessMark = { readonly pid: number; /** Clock ticks since boot. */ readonly startTime: number };

type Stat = { readonly mark: ProcessMark; readonly group: number };

/** Environment variable that every process of an attempt inherits, so that it is found again after a restart of the agent. */
export const ATTEMPT_VARIABLE = 'FETTLE_ATTEMPT_KEY';

/** Null when no such process runs; a zombie does not. */
export function readProcess(pid: number): Stat | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // The name stands in parentheses and may hold anything; fields count from behind its last one (proc(5): state is field 3).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return null;
  return { mark: { pid, startTime: Number(fields[19]) }, group: Number(fields[2]) };
}

export const isRunning = (mark: ProcessMark): boolean => readProcess(mark.pid)?.mark.startTime === mark.startTime;

export function ownProcess(): ProcessMark {
  const stat = readProcess(process.pid);
  if (stat === null) throw new Error(`cannot read /proc/${process.pid}/stat; the agent needs /proc mounted`);
  return stat.mark;
}

/**
 * Whatever still runs of an attempt: the members of its process group. A group whose leader has gone is recognised by the
 * attempt's variable, since its number may have been given to another; without a recorded leader, the variable alone decides.
 */
export function survivors(attemptKey: string, leader: ProcessMark | null): ProcessMark[] {
  const leaderRuns = leader !== null && isRunning(leader);
  return allProcesses()
    .filter((stat) => stat.mark.pid !== process.pid)
    .filter((stat) => {
      if (leader !== null && stat.group !== leader.pid) return false;
      return leaderRuns || carriesVariable(stat.mark.pid, attemptKey);
    })
    .map((stat) => stat.mark);
}

function allProcesses(): Stat[] {
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return ids.map((id) => readProcess(Number(id))).filter((stat) => stat !== null);
}

function carriesVariable(pid: number, attemptKey: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`${ATTEMPT_VARIABLE}=${attemptKey}`);
  } catch {
    return false;
  }
}

/** Signals those of `marks` that still run. */
export function signalAll(marks: readonly ProcessMark[], signal: NodeJS.Signals): void {
  for (const mark of marks) {
    if (!isRunning(mark)) continue;
    try {
      process.kill(mark.pid, signal);
    } catch {
      // Gone between the look and the signal.
    }
  }
}
