import { setTimeout as delay } from 'node:timers/promises';
import type { ApiEvent, ApiExecutionDetail } from '../workflows/api.ts';
import type { CoordinatorApi } from './coordinator-api.ts';
import { CommandError, EXIT } from './exit-code.ts';
import { type Io, note } from './io.ts';
import { printable } from './printable.ts';
import { formatDuration } from './time-text.ts';

export type FollowOptions = {
  readonly onEvent: (event: ApiEvent) => void;
  /** Null: as long as it takes. */
  readonly timeoutMs: number | null;
  /** First pause before asking again; doubles to 10 s. */
  readonly retryMs?: number;
  /** Coordinators may be away so long in one piece. */
  readonly patienceMs?: number;
};

const MAX_RETRY_MS = 10_000;
const PATIENCE_MS = 5 * 60_000;

/**
 * Follows an execution to its end, through restarts of coordinators; each event is told once.
 * @throws CommandError 124 when `timeoutMs` passes first; as the API's when it is refused or away for too long.
 */
export async function follow(
  io: Io,
  api: CoordinatorApi,
  id: string,
  options: FollowOptions,
): Promise<ApiExecutionDetail> {
  const timeout = options.timeoutMs === null ? null : AbortSignal.timeout(options.timeoutMs);
  const signal = timeout === null ? io.signal : AbortSignal.any([io.signal, timeout]);
  const told = new Set<string>();
  let away: number | null = null;
  let pause = options.retryMs ?? 500;
  for (;;) {
    try {
      if (await tellEvents(api, id, signal, told, options.onEvent)) {
        away = null;
        pause = options.retryMs ?? 500;
      }
      const execution = await api.execution(id);
      if (execution.state === 'closed') return execution;
    } catch (error) {
      if (!signal.aborted && !mayPass(error)) throw error;
      away ??= io.now();
      if (!signal.aborted && io.now() - away > (options.patienceMs ?? PATIENCE_MS)) throw error;
      if (!signal.aborted) note(io, `Lost the coordinator (${printable((error as Error).message)}); trying again.`);
    }
    if (!signal.aborted) await delay(pause, undefined, { signal }).catch(() => {});
    if (signal.aborted) throw ended(io, id, options.timeoutMs);
    pause = Math.min(pause * 2, MAX_RETRY_MS);
  }
}

/** Tells the events not told yet; true when there was at least one. */
async function tellEvents(
  api: CoordinatorApi,
  id: string,
  signal: AbortSignal,
  told: Set<string>,
  onEvent: (event: ApiEvent) => void,
): Promise<boolean> {
  let any = false;
  for await (const event of api.events(id, signal)) {
    const key = JSON.stringify([event.at, event.event, event.step, event.attempt, event.node, event.message]);
    if (told.has(key)) continue;
    told.add(key);
    any = true;
    onEvent(event);
  }
  return any;
}

/** Away or overloaded coordinators come back; refusals stay. */
const mayPass = (error: unknown): boolean => error instanceof CommandError && error.exit === EXIT.noDecision;

function ended(io: Io, id: string, timeoutMs: number | null): CommandError {
  if (io.signal.aborted || timeoutMs === null) {
    return new CommandError(EXIT.interrupted, 'interrupted; the execution goes on', `fettle watch ${id}`);
  }
  return new CommandError(
    EXIT.waitTimedOut,
    `not ended within ${formatDuration(timeoutMs)}; it goes on`,
    `fettle watch ${id}`,
  );
}
