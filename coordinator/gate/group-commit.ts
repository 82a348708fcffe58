/**
 * When operations that wait go to the gate, and how many together. An Update costs the server the same for one operation or for hundreds, and
 * the gate takes batches in turn: so one batch is under way, those who come meanwhile share the next, and a second goes beside it only when
 * the line is long or the first is slow. Times are of the monotonic clock, milliseconds.
 */

/** As many as the gate takes in one Update (MAX_BATCH). */
export const BATCH_OPERATIONS = 500;
const LONG_LINE = 100;
const SLOW_MS = 250;
/**
 * So many operations that met others within a second: from then on each waits a little for company. Half as long as an Update takes at present, so
 * that a server with little to do is asked soon and a busy one seldom. A caller alone, however fast, never waits.
 */
const BUSY_PER_SECOND = 40;
const MAX_GATHER_MS = 25;
const AT_ONCE = 2;
/** After the server refused one Update too many, one at a time for so long. */
const MODEST_MS = 60_000;
/**
 * A server that refuses an Update for too many under way drops with it what the workflow had in flight, and every coordinator starts again: so each
 * keeps its distance, twice as much after each refusal, and comes closer slowly as Updates pass.
 */
const FIRST_DISTANCE_MS = 40;
const MAX_DISTANCE_MS = 800;
const CLOSER = 0.9;
/** Weight of the latest Update in what an Update takes at present. */
const LATEST = 0.2;

export class GroupCommit {
  #underWay = 0;
  #sentAt = 0;
  #tookMs = 10;
  #modestUntil = Number.NEGATIVE_INFINITY;
  #distanceMs = 0;
  #notBefore = Number.NEGATIVE_INFINITY;
  /** Operations whose callers wait for their answer. */
  #awaited = 0;
  /** When operations came while others were awaited, oldest first; as many as make a busy second. */
  readonly #met: number[] = [];

  /** An operation whose caller waits has come. @returns until when it waits for company */
  came(now: number): number {
    const busy = this.#awaited > 0 && this.#isBusy(now);
    this.#awaited += 1;
    return busy ? now + Math.min(MAX_GATHER_MS, this.#tookMs / 2) : now;
  }

  /** Its caller has its answer. */
  answered(): void {
    this.#awaited -= 1;
  }

  sent(now: number): void {
    this.#underWay += 1;
    this.#sentAt = now;
  }

  /** `tookMs` null: it failed. */
  returned(now: number, tookMs: number | null): void {
    this.#underWay -= 1;
    if (tookMs !== null) this.#tookMs += (tookMs - this.#tookMs) * LATEST;
    this.#distanceMs = this.#distanceMs < FIRST_DISTANCE_MS / 4 ? 0 : this.#distanceMs * CLOSER;
    this.#notBefore = now + around(this.#distanceMs);
  }

  /** The server refused an Update because too many are under way. @returns milliseconds until it may be sent again */
  exhausted(now: number): number {
    this.#modestUntil = now + MODEST_MS;
    this.#distanceMs = Math.min(Math.max(this.#distanceMs * 2, FIRST_DISTANCE_MS), MAX_DISTANCE_MS);
    return around(this.#distanceMs);
  }

  /** Milliseconds until a batch of what waits may go; null: not before one returns, or nothing waits. */
  wait(now: number, waiting: number, earliestDue: number): number | null {
    const atOnce = now < this.#modestUntil ? 1 : AT_ONCE;
    if (waiting === 0 || this.#underWay >= atOnce) return null;
    const distance = this.#notBefore - now;
    if (waiting >= LONG_LINE) return Math.max(0, distance);
    const slow = this.#underWay === 0 ? now : this.#sentAt + SLOW_MS;
    return Math.max(0, distance, earliestDue - now, slow - now);
  }

  #isBusy(now: number): boolean {
    this.#met.push(now);
    if (this.#met.length <= BUSY_PER_SECOND) return false;
    return now - (this.#met.shift() ?? now) < 1_000;
  }
}

/** Random, so that coordinators refused together do not come back together. */
const around = (ms: number): number => ms * (0.5 + Math.random());
