import type { AllowRule } from '../config/agent-rules.ts';
import type { Place } from '../config/problem.ts';
import type { BegunAction } from './ledger.ts';
import { RefusalError } from './refusal.ts';

const HOUR_MS = 3_600_000;

/** One cap of one allow block, as it stands. */
export type Cap = {
  readonly place: Place;
  readonly kind: 'per_hour' | 'concurrent';
  readonly limit: number;
  readonly used: number;
  /** When the next place is free, in milliseconds; null when there is one, or when that cannot be said. */
  readonly freeInMs: number | null;
};

/** Counts all that a block covers, whichever block had let it in: `covered` are those actions of the ledger. */
export function capsOf(rule: AllowRule, covered: readonly BegunAction[]): Cap[] {
  const { place, perHour, concurrent } = rule;
  const caps: Cap[] = [];
  if (perHour !== null) {
    const ages = covered.map(({ ageMs }) => ageMs).filter((age) => age < HOUR_MS);
    const full = ages.length >= perHour;
    // So many of the oldest must be an hour old before there are fewer than the limit.
    const last = full ? ages.toSorted((a, b) => b - a)[ages.length - perHour]! : 0;
    caps.push({ place, kind: 'per_hour', limit: perHour, used: ages.length, freeInMs: full ? HOUR_MS - last : null });
  }
  if (concurrent !== null) {
    const used = covered.filter(({ atWork }) => atWork).length;
    caps.push({ place, kind: 'concurrent', limit: concurrent, used, freeInMs: null });
  }
  return caps;
}

/** @throws RefusalError `busy` where an end of something frees the place, `cap_reached` where only time does. */
export function checkCap(cap: Cap): void {
  if (cap.used < cap.limit) return;
  throw new RefusalError(cap.kind === 'concurrent' ? 'busy' : 'cap_reached', capText(cap));
}

export const capText = ({ place, kind, limit, used, freeInMs }: Cap): string => {
  const when = freeInMs === null ? '' : `; the next may begin in ${Math.ceil(freeInMs / 60_000)} min`;
  return `the allow block at ${place.file}:${place.line} has ${kind} = ${limit}, and ${used} are counted${used < limit ? '' : when}`;
};
