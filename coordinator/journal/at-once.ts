/** Reading the record takes time and memory of a coordinator that has other work: so many at once, a few more in line, and the rest come again. */
import { ApiFailure } from '../service.ts';

const MAX_WAITING = 20;

/** @throws ApiFailure 503 when too many wait already */
export function atOnce(max: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= max) {
      if (waiting.length >= MAX_WAITING)
        throw new ApiFailure(503, 'busy', 'many read the record already; ask again shortly', { retryAfterS: 5 });
      await new Promise<void>((resolve) => void waiting.push(resolve));
    }
    running += 1;
    try {
      return await work();
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };
}
