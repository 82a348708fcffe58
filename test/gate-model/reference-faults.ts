/** Episodes as docs/protocol.md §2 has them. */
import type { EpisodeRef, LeaseRef } from '../../workflows/gate/operations.ts';

export type Fault = {
  readonly id: string;
  gap: number;
  again: number | null;
  evidenceUntil: number;
  observers: { ob: string; at: number; resolved: boolean }[];
  lease: LeaseRef | null;
  admittedAt: number;
  waiting: string | null;
  rehearsed: boolean;
};

/** Nobody sees it any more: each observer has said so, or been silent for the gap. */
const unseen = ({ observers, gap }: Fault, now: number): boolean =>
  observers.every(({ at, resolved }) => resolved || at + gap < now);

export const saidOver = (fault: Fault, now: number): boolean =>
  unseen(fault, now) && fault.observers.some(({ resolved }) => resolved);

const lastWord = ({ observers }: Fault): number => Math.max(...observers.map(({ at }) => at));

/** Joins the open episode, or begins one. */
export function see(
  faults: Fault[],
  ref: EpisodeRef,
  evidenceUntil: number,
  now: number,
  isLive: (lease: LeaseRef | null) => boolean,
): Fault {
  const known = faults.find(({ id }) => id === ref.id);
  const over =
    known === undefined || (!isLive(known.lease) && unseen(known, now) && ref.b >= lastWord(known) + known.gap);
  if (!over) {
    known.evidenceUntil = Math.max(known.evidenceUntil, evidenceUntil);
    known.gap = ref.gap;
    known.again = ref.again ?? null;
    say(known, ref.ob, now, false);
    return known;
  }
  const made: Fault = {
    id: ref.id,
    gap: ref.gap,
    again: ref.again ?? null,
    evidenceUntil,
    observers: [{ ob: ref.ob, at: now, resolved: false }],
    lease: null,
    admittedAt: 0,
    waiting: null,
    rehearsed: false,
  };
  if (known !== undefined) faults.splice(faults.indexOf(known), 1);
  faults.push(made);
  return made;
}

export function say(fault: Fault, ob: string, at: number, resolved: boolean): void {
  fault.observers = [...fault.observers.filter((one) => one.ob !== ob), { ob, at, resolved }];
}

/** Over for so long that no late message can belong to it. */
export const forgotten = (fault: Fault, now: number, live: boolean): boolean =>
  !live && unseen(fault, now) && lastWord(fault) + fault.gap + Math.max(fault.gap, fault.again ?? 0, 10 * 60_000) < now;

export const isOpen = (fault: Fault, now: number): boolean => !unseen(fault, now);
