import { RefusalError } from './refusal.ts';

/** So many may wait at once; beyond that the host is plainly busy, and waiting orders would keep settle orders from a place. */
const MAX_WAITING = 32;

/** The host's cap on actions at once, over all queues. */
export type ActionSlots = {
  /** Resolves to the release. @throws RefusalError `busy` when no slot came free until `deadline` (ms) or `signal` aborted. */
  readonly take: (deadline: number, signal: AbortSignal) => Promise<() => void>;
  readonly used: () => number;
};

export type SlotOptions = {
  readonly onChange?: (used: number) => void;
  /** For the refusal: what the cap is. */
  readonly limit?: string;
};

export function createActionSlots(cap: number, options: SlotOptions = {}): ActionSlots {
  const { onChange = () => undefined, limit = `${cap} actions at once (max_actions)` } = options;
  let used = 0;
  const count = (change: number): void => {
    used += change;
    onChange(used);
  };
  const waiting = new Set<() => void>();
  const release = (): void => {
    const next = waiting.values().next().value;
    if (next === undefined) count(-1);
    else next();
  };
  const once = (): (() => void) => {
    let released = false;
    return () => {
      if (!released) release();
      released = true;
    };
  };
  return {
    used: () => used,
    async take(deadline, signal) {
      if (used < cap) {
        count(1);
        return once();
      }
      if (waiting.size >= MAX_WAITING) throw busy(limit, `${waiting.size} more are waiting`);
      await new Promise<void>((resolve, reject) => {
        const leave = (why: string): void => {
          waiting.delete(enter);
          clearTimeout(timer);
          signal.removeEventListener('abort', cancelled);
          reject(busy(limit, why));
        };
        const cancelled = (): void => leave('the order was withdrawn while it waited');
        const enter = (): void => {
          waiting.delete(enter);
          clearTimeout(timer);
          signal.removeEventListener('abort', cancelled);
          resolve();
        };
        const timer = setTimeout(() => leave('none ended before it had to begin'), Math.max(0, deadline - Date.now()));
        signal.addEventListener('abort', cancelled, { once: true });
        waiting.add(enter);
        if (signal.aborted) cancelled();
      });
      return once();
    },
  };
}

const busy = (limit: string, why: string): RefusalError =>
  new RefusalError('busy', `this host does ${limit}, and ${why}`);
