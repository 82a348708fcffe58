/**
 * How Node runs what every server has, all day or for each action. The compilers that make code fast bring 7 MB of themselves into
 * memory, and an agent waits nearly all its life; a young generation of 1 MiB is enough for it. docs/measurements.md has the figures.
 */
export const LIGHT_FLAGS: readonly string[] = [
  '--max-semi-space-size=1',
  '--v8-pool-size=1',
  '--no-opt',
  '--no-maglev',
  '--no-sparkplug',
];

/** One heap for malloc, not one for each thread; two threads for files and names. */
export const LIGHT_ENVIRONMENT: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: '1', UV_THREADPOOL_SIZE: '2' };
