/** Waits `ms` milliseconds, or until the signal aborts. Never rejects. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.max(0, ms));
  const abort = (): void => resolve();
  signal.addEventListener('abort', abort, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener('abort', abort);
}
