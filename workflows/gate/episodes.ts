/** One fault of one identity, from first seen until over (docs/protocol.md §2). */
import { leaseKey, type Episode, type GateState, type Lease } from './state.ts';
import type { Answer, EpisodeRef, Resolved, Seen } from './operations.ts';

const MAX_OBSERVERS = 8;

/** Joins what was seen to the open episode of its identity, or opens one. */
export function observe(state: GateState, ref: EpisodeRef, evidenceUntil: number): Episode {
  const known = state.episodes.get(ref.id);
  if (known === undefined || isOver(state, known, ref.b)) return open(state, ref, evidenceUntil);
  known.lastSeen = Math.max(known.lastSeen, state.now);
  known.evidenceUntil = Math.max(known.evidenceUntil, evidenceUntil);
  known.gap = ref.gap;
  known.again = ref.again ?? null;
  note(known, ref.ob, state.now);
  return known;
}

function open(state: GateState, ref: EpisodeRef, evidenceUntil: number): Episode {
  const made: Episode = {
    id: ref.id,
    began: ref.b,
    lastSeen: state.now,
    gap: ref.gap,
    again: ref.again ?? null,
    evidenceUntil,
    observers: new Map([[ref.ob, state.now]]),
    lease: null,
    admittedAt: 0,
    waiting: null,
    rehearsed: false,
  };
  state.episodes.set(ref.id, made);
  return made;
}

/** At most eight observers count; a further one replaces who was silent longest. */
function note(episode: Episode, observer: string, when: number): void {
  episode.observers.set(observer, when);
  if (episode.observers.size <= MAX_OBSERVERS) return;
  let oldest = observer;
  for (const [name, at] of episode.observers) {
    if (Math.abs(at) < Math.abs(episode.observers.get(oldest) ?? 0)) oldest = name;
  }
  episode.observers.delete(oldest);
}

/** Each observer has said resolved or has been silent for the gap. */
export const unseen = (episode: Episode, now: number): boolean =>
  [...episode.observers.values()].every((at) => at < 0 || at + episode.gap < now);

/** The fault is known to have ended: somebody said so, and nobody else has seen it within the gap. Silence alone proves nothing. */
export const saidResolved = (episode: Episode, now: number): boolean =>
  unseen(episode, now) && [...episode.observers.values()].some((at) => at < 0);

/**
 * Whether a fault that began at `began` is a new one. Not while a lease of the episode lives, and not when it began before the old one
 * had been gone for its gap: that is the same fault flapping, or an old message.
 */
function isOver(state: GateState, episode: Episode, began: number): boolean {
  if (episode.lease !== null && state.leases.has(leaseKey(episode.lease))) return false;
  return unseen(episode, state.now) && began >= lastSign(episode) + episode.gap;
}

const lastSign = (episode: Episode): number => {
  let last = 0;
  for (const at of episode.observers.values()) last = Math.max(last, Math.abs(at));
  return last;
};

export function seen(state: GateState, operation: Seen): Answer {
  observe(state, operation.e, operation.eu);
  return { a: 'episode', open: true };
}

export function resolved(state: GateState, operation: Resolved): Answer {
  const episode = state.episodes.get(operation.e.id);
  if (episode === undefined) return { a: 'episode', open: false };
  note(episode, operation.e.ob, -state.now);
  return { a: 'episode', open: !unseen(episode, state.now) };
}

/** The execution of this episode never did anything: the fault may be asked about again. */
export function forgetAdmission(state: GateState, lease: Lease): void {
  const episode = lease.episode === null ? undefined : state.episodes.get(lease.episode);
  if (episode?.lease === undefined || episode.lease === null) return;
  if (leaseKey(episode.lease) !== leaseKey(lease.ref)) return;
  episode.lease = null;
  episode.admittedAt = 0;
}

/** Drops episodes that are over for long enough that no late message can belong to them. */
export function trimEpisodes(state: GateState): void {
  for (const [id, episode] of state.episodes) {
    const live = episode.lease !== null && state.leases.has(leaseKey(episode.lease));
    const quiet = lastSign(episode) + episode.gap + Math.max(episode.gap, episode.again ?? 0, 10 * 60_000);
    if (!live && unseen(episode, state.now) && quiet < state.now) state.episodes.delete(id);
  }
}
