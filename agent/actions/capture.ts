import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLEAN_ENVIRONMENT } from './action.ts';

export type Capture = {
  readonly argv: readonly string[];
  readonly maxBytes: number;
  /** Which end of an output that is longer is kept. */
  readonly keep: 'head' | 'tail';
  readonly timeoutMs: number;
};

export type Captured = {
  readonly content: Buffer;
  readonly cut: boolean;
  /** `ok`, or why there is less than there should be: `exit code 1`, `timeout`, `ENOENT`. */
  readonly end: string;
};

/**
 * The output of a program that only reads. Returns in time even when the program cannot be killed: on a wedged host a look into /proc
 * may hang for ever in the kernel, and the rest is wanted all the same. Never rejects.
 */
export async function capture(wanted: Capture, signal: AbortSignal): Promise<Captured> {
  const kept = keeper(wanted);
  const [program, ...args] = wanted.argv;
  const child = spawn(program!, args, {
    cwd: '/',
    env: { ...CLEAN_ENVIRONMENT, SYSTEMD_COLORS: '0', DEBUGINFOD_URLS: '' },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has gone.
    }
  };
  for (const pipe of [child.stdout, child.stderr]) pipe.on('data', (chunk: Buffer) => kept.add(chunk) || kill());
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? 'error'));
    child.once('close', (code, by) => resolve(code === 0 ? 'ok' : by === null ? `exit code ${code}` : `signal ${by}`));
  });
  const end = await orTimeout(ended, AbortSignal.any([signal, AbortSignal.timeout(wanted.timeoutMs)]), kill);
  for (const pipe of [child.stdout, child.stderr]) pipe.destroy();
  child.unref();
  const { content, cut } = kept.finish();
  return { content, cut, end: cut && wanted.keep === 'head' ? 'ok' : end };
}

/** What a killed program still had to say is waited for a moment. */
async function orTimeout(ended: Promise<string>, signal: AbortSignal, kill: () => void): Promise<string> {
  const late = Promise.withResolvers<string>();
  const abort = (): void => {
    kill();
    void sleep(KILLED_MS).then(() => late.resolve('timeout'));
  };
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  const end = await Promise.race([ended, late.promise]);
  signal.removeEventListener('abort', abort);
  return signal.aborted ? 'timeout' : end;
}
const KILLED_MS = 300;

function keeper({ maxBytes, keep }: Capture) {
  let chunks: Buffer[] = [];
  let bytes = 0;
  let cut = false;
  return {
    /** False when no more is wanted. */
    add(chunk: Buffer): boolean {
      chunks.push(chunk);
      bytes += chunk.length;
      if (keep === 'head') return bytes <= maxBytes;
      if (bytes > 2 * maxBytes) {
        chunks = [Buffer.concat(chunks).subarray(-maxBytes)];
        bytes = maxBytes;
        cut = true;
      }
      return true;
    },
    finish() {
      const all = Buffer.concat(chunks);
      cut ||= all.length > maxBytes;
      return { content: keep === 'head' ? all.subarray(0, maxBytes) : all.subarray(-maxBytes), cut };
    },
  };
}
