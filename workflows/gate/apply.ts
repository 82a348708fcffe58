/**
 * The gate's decisions: `apply(state, operation, nonce)` at `state.now`. Pure but for `state`, which it changes in place; the same
 * operations in the same order always give the same answers, so a gate's history replays to the same state.
 */
import { ask } from './ask.ts';
import { definitions, trimStarts } from './definitions.ts';
import { resolved, seen, trimEpisodes } from './episodes.ts';
import { LIMIT_KINDS } from './limits/limit-kinds.ts';
import { free, permit, release, result, started } from './leases.ts';
import { REMEMBER_MS, type Answer, type Operation } from './operations.ts';
import { pause, resume } from './pauses.ts';
import { trimRehearsals } from './rehearsal.ts';
import type { GateState } from './state.ts';
import { approve, deny, leave, trimWaiting } from './waiting.ts';
import { addWindow, removeWindow, trimWindows } from './windows.ts';

/** Applied twice they change nothing more and answer the same, so their answers need not be kept. */
const REPEATABLE: ReadonlySet<Operation['op']> = new Set([
  'started',
  'result',
  'release',
  'definitions',
  'fleet',
  'leave',
]);

/** Answers beyond this many are forgotten early; the floor then refuses operations as old as those. */
const MAX_REMEMBERED = 20_000;

/** Moves the gate's clock, never backwards. */
export function tick(state: GateState, now: number): void {
  state.now = Math.max(state.now, now);
}

export function apply(state: GateState, operation: Operation, nonce: () => string): Answer {
  const wrong = malformed(operation);
  if (wrong !== null) return { a: 'malformed', why: wrong };
  const known = state.remembered.get(operation.id);
  if (known !== undefined) return repeat(known.answer, known.plan, operation);
  if (operation.at <= state.floor || operation.at + REMEMBER_MS < state.now) return { a: 'too_old' };
  if (operation.op === 'adopt') state.quarantine = null;
  if (state.quarantine !== null) return { a: 'quarantined', why: state.quarantine };
  const answer = decide(state, operation, nonce);
  if (answer.a !== 'unknown_definition' && !REPEATABLE.has(operation.op)) remember(state, operation, answer);
  return answer;
}

function decide(state: GateState, operation: Operation, nonce: () => string): Answer {
  switch (operation.op) {
    case 'ask':
      return ask(state, operation);
    case 'seen':
      return seen(state, operation);
    case 'resolved':
      return resolved(state, operation);
    case 'started':
      return started(state, operation);
    case 'permit':
      return permit(state, operation, nonce());
    case 'result':
      return result(state, operation);
    case 'release':
      return release(state, operation);
    case 'free':
      return free(state, operation);
    case 'pause':
      return pause(state, operation);
    case 'resume':
      return resume(state, operation);
    case 'definitions':
      return definitions(state, operation);
    case 'approve':
      return approve(state, operation);
    case 'deny':
      return deny(state, operation);
    case 'leave':
      return leave(state, operation);
    case 'window':
      return addWindow(state, operation);
    case 'unwindow':
      return removeWindow(state, operation);
    case 'fleet':
      return state.fleet.report(operation, state.now);
    case 'adopt':
      state.epoch = Math.max(state.epoch, operation.e ?? 0) + 1;
      state.next = 1;
      return { a: 'ok' };
    default:
      return { a: 'malformed', why: `unknown operation ${String((operation as { op: unknown }).op).slice(0, 40)}` };
  }
}

/** Nothing is decided twice; the same id with another plan is somebody's mistake, not a retry. */
function repeat(answer: Answer, plan: string | null, operation: Operation): Answer {
  if (operation.op === 'ask' && plan !== operation.p) return { a: 'reused' };
  if (answer.a === 'admitted' || answer.a === 'refused' || answer.a === 'shadow') return { ...answer, known: true };
  return answer;
}

export function remember(state: GateState, operation: Operation, answer: Answer): void {
  const plan = operation.op === 'ask' ? operation.p : null;
  state.remembered.set(operation.id, { at: operation.at, plan, answer });
}

/** Forgets what is past use. Called between batches, so its cost is shared. */
export function trim(state: GateState): void {
  for (const [id, entry] of state.remembered) {
    const old = entry.at + REMEMBER_MS < state.now;
    if (!old && state.remembered.size <= MAX_REMEMBERED) break;
    state.remembered.delete(id);
    state.floor = Math.max(state.floor, old ? 0 : entry.at);
  }
  for (const [id, held] of state.pauses) if (held.until !== null && held.until <= state.now) state.pauses.delete(id);
  trimWindows(state);
  trimRehearsals(state);
  trimWaiting(state);
  state.real.trim(state.now);
  state.virtual.trim(state.now);
  trimStarts(state);
  trimEpisodes(state);
}

function malformed(operation: Operation): string | null {
  if (typeof operation !== 'object' || operation === null) return 'not an object';
  if (typeof operation.id !== 'string' || operation.id === '' || operation.id.length > 200) return 'no id';
  if (!Number.isSafeInteger(operation.at)) return 'no issue time';
  if ('l' in operation && !isLease(operation.l)) return 'no lease';
  return lacking(operation);
}

/** What an operation cannot be applied without: a gate that throws on it would do so again at each replay, and decide nothing any more. */
const NEEDED_OF: Readonly<Partial<Record<Operation['op'], Readonly<Record<string, 'string' | 'number' | 'object'>>>>> =
  {
    ask: { w: 'string', d: 'string', p: 'string', t: 'object', eu: 'number' },
    seen: { e: 'object', eu: 'number' },
    resolved: { e: 'object' },
    permit: { p: 'string', s: 'string', a: 'number', n: 'string', busy: 'number' },
    result: { s: 'string', a: 'number' },
    pause: { sc: 'object', why: 'string' },
    definitions: { w: 'string', d: 'string', lim: 'object', by: 'string' },
    window: { nm: 'string', sc: 'object', f: 'number', u: 'number' },
    fleet: { r: 'string', v: 'number' },
  };

const NEEDED = new Map(Object.entries(NEEDED_OF).map(([op, needed]) => [op, Object.entries(needed)]));

function lacking(operation: Operation): string | null {
  for (const [key, type] of NEEDED.get(operation.op) ?? []) {
    const value: unknown = (operation as unknown as Record<string, unknown>)[key];
    if (typeof value !== type || value === null || Number.isNaN(value)) return `${operation.op} without ${key}`;
  }
  if (operation.op !== 'definitions') return null;
  if (!Array.isArray(operation.lim)) return 'definitions without lim';
  const strange = operation.lim.find(({ k }) => !Object.hasOwn(LIMIT_KINDS, k));
  return strange === undefined ? null : `unknown kind of limit ${String(strange.k).slice(0, 20)}`;
}

const isLease = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && value.every((part) => Number.isSafeInteger(part) && part >= 0);
