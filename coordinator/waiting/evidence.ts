/** How long what a request rests on may be acted on, while it waits (docs/protocol.md §7.1). */
import type { Evidence } from '../../workflows/contract.ts';

/** A person's wish is its own evidence for so long, counted from when it was last known to stand. */
export const WISH_MS = 15 * 60_000;

/**
 * What a source saw is good until the source said: the gate prolongs it with every sighting of the same fault. A wish stands for as long as
 * it waits, because whoever had it said how long he would, and he, or who approves it, can take it back; from its admission on it is good
 * for as long as any other.
 */
export const evidenceWhileWaiting = (wish: boolean, evidence: Evidence, now: number): number =>
  wish ? Math.max(evidence.validUntil, now + WISH_MS) : evidence.validUntil;
