import { uptime } from 'node:os';
import { readBootId } from './boot-id.ts';

/** A time that no step of the host's clock moves: within one boot ages are exact, across boots the clock must do. */
export type BootInstant = {
  readonly boot: string;
  /** Milliseconds since that boot, sleep included. */
  readonly uptime: number;
};

export type BootClock = { readonly instant: () => BootInstant; readonly now: () => number };

export function hostClock(): BootClock {
  const boot = readBootId();
  return { instant: () => ({ boot, uptime: Math.round(uptime() * 1000) }), now: Date.now };
}

/**
 * How long ago something was, in milliseconds and never too long: what was recorded without an instant, or before this boot, is as old
 * as the clock says, which may have been stepped, and no older than nothing when it lies ahead.
 */
export function ageOf(clock: BootClock, at: number, instant: BootInstant | undefined): number {
  const here = clock.instant();
  if (instant?.boot === here.boot) return Math.max(0, here.uptime - instant.uptime);
  return Math.max(0, clock.now() - at);
}
