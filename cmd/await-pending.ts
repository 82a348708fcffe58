import { setTimeout as delay } from 'node:timers/promises';
import type { ApiPendingDetail } from '../workflows/api.ts';
import type { CoordinatorApi } from './coordinator-api.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import { type Io, note } from './io.ts';
import { printable } from './printable.ts';
import { waitsForText } from './standing-text.ts';
import { formatDuration } from './time-text.ts';

const LOOK_MS = 500;
const LOOK_SELDOM_MS = 5_000;
/** Coordinators may be away so long in one piece. */
const PATIENCE_MS = 5 * 60_000;

/** A wait that came to no execution: denied, expired, its fault gone. */
export class PendingEndedError extends CommandError {}

/** Waits until a request that waits has become an execution, and gives its id; says what it waits for whenever that changes. */
export async function awaitPending(
  io: Io,
  api: CoordinatorApi,
  pending: string,
  { timeoutMs, lookMs = LOOK_MS }: { readonly timeoutMs: number | null; readonly lookMs?: number },
): Promise<string> {
  const deadline = timeoutMs === null ? Infinity : performance.now() + timeoutMs;
  let told = '';
  let pause = lookMs;
  let away: number | null = null;
  for (;;) {
    try {
      const detail = await api.pendingRequest(pending);
      away = null;
      if (detail.execution !== null) return detail.execution;
      if (detail.state === 'ended') throw ended(detail);
      const progress = progressText(detail);
      if (progress !== told) note(io, `${printable(pending)} waits for ${printable(progress)}.`);
      told = progress;
    } catch (error) {
      if (!(error instanceof CommandError) || error.exit !== EXIT.noDecision) throw error;
      away ??= performance.now();
      if (performance.now() - away > PATIENCE_MS) throw error;
    }
    await delay(Math.min(pause, Math.max(1, deadline - performance.now())), undefined, { signal: io.signal }).catch(
      () => {},
    );
    if (io.signal.aborted)
      throw new CommandError(EXIT.interrupted, 'interrupted; it waits on', `fettle show ${pending}`);
    if (performance.now() >= deadline) {
      const message = `not decided within ${formatDuration(timeoutMs ?? 0)}; it waits on`;
      throw new CommandError(EXIT.waitTimedOut, message, `fettle show ${pending}`);
    }
    pause = Math.min(pause * 1.5, LOOK_SELDOM_MS);
  }
}

function progressText({ request, message }: ApiPendingDetail): string {
  if (request === null) return message;
  const place = request.place === 0 ? '' : `; ${request.place} before it`;
  return waitsForText(request) + place;
}

/** The fault being gone is a good end; a refusal is one. */
function ended({ pending, outcome, message }: ApiPendingDetail): PendingEndedError {
  const exit: ExitCode = outcome === 'no_fault' ? EXIT.ok : outcome === 'cancelled' ? EXIT.unsuccessful : EXIT.refused;
  return new PendingEndedError(exit, `${outcome ?? 'ended'}: ${message}`, `fettle show ${pending}`);
}
