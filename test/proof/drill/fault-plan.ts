/** What is to go wrong, and when: drawn from the seed alone, so that a drill can be repeated. */
import { randomOf, type Random } from './random.ts';

export const FAULTS = [
  /** SIGKILL, and started again some seconds later. */
  'kill-coordinator',
  /** The coordinator on which the gate's workflow runs just then. */
  'kill-gate-host',
  'kill-agent',
  /** SIGKILL, and started again on the same file. */
  'kill-temporal',
  /** SIGSTOP, and SIGCONT half a minute later. */
  'stop-coordinator',
  'stop-agent',
  /** By hand, as `temporal workflow terminate` does. */
  'terminate-execution',
  /** All connections to Temporal broken, and none let through for some seconds. */
  'cut-coordinator',
  'cut-agent',
  /** By a person, and lifted: no faults, but they have to survive all the others. */
  'pause',
  'window',
  'terminate-gate',
  'reset-gate',
] as const;
export type FaultKind = (typeof FAULTS)[number];

export type Fault = {
  /** Milliseconds from the beginning. */
  readonly at: number;
  readonly kind: FaultKind;
  /** Which of several; taken modulo how many there are. */
  readonly which: number;
  /** How long it lasts. */
  readonly forMs: number;
};

const STOPPED_MS = 30_000;
const QUIET_AT_FIRST_MS = 8_000;
const QUIET_AT_LAST_MS = 15_000;
const EVERY_MS = 13_000;
/** Half a minute of standing still weighs more than the rest: not in every round. */
const LONG: ReadonlySet<FaultKind> = new Set(['stop-coordinator', 'stop-agent', 'terminate-gate', 'reset-gate']);

/** Each kind once in a round, in an order of the round's own, spread over the time; as many rounds as fit. */
export function faultPlan(seed: number, minutes: number, kinds: readonly FaultKind[] = FAULTS): Fault[] {
  const random = randomOf(seed);
  const end = minutes * 60_000 - QUIET_AT_LAST_MS;
  const room = Math.max(end - QUIET_AT_FIRST_MS, 0);
  const inRounds = roundsOf(random, kinds, Math.max(Math.floor(room / EVERY_MS), kinds.length));
  const step = room / inRounds.length;
  return inRounds
    .map((kind, index) => faultOf(random, kind, QUIET_AT_FIRST_MS + (index + random.next()) * step, end))
    .toSorted((a, b) => a.at - b.at);
}

function roundsOf(random: Random, kinds: readonly FaultKind[], most: number): FaultKind[] {
  const all: FaultKind[] = [];
  for (let round = 0; all.length < most; round += 1) {
    const due = round % 3 === 0 ? kinds : kinds.filter((kind) => !LONG.has(kind));
    if (due.length === 0) break;
    all.push(...random.shuffle(due));
  }
  return all.slice(0, most);
}

function faultOf(random: Random, kind: FaultKind, at: number, end: number): Fault {
  const stopped = kind === 'stop-coordinator' || kind === 'stop-agent';
  const forMs = stopped ? STOPPED_MS : random.between(2_000, 7_000);
  const latest = end - (stopped ? STOPPED_MS : 0);
  return { at: Math.round(Math.max(0, Math.min(at, latest))), kind, which: random.between(0, 1_000), forMs };
}
