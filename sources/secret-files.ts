import { readFile, stat } from 'node:fs/promises';
import { MetricSourceError } from './metric-source.ts';

type Kept = { readonly version: string; readonly text: string };

/** Files that others replace while we run: tokens, passwords, certificates. Each is read again when it has changed. */
export class SecretFiles {
  readonly #kept = new Map<string, Kept>();

  /**
   * The file's text as it is now, and a mark that changes with it.
   * @throws MetricSourceError (`credentials`) when it cannot be read; the message names the file, never what is in it.
   */
  async read(path: string): Promise<Kept> {
    try {
      const { mtimeMs, ino, size } = await stat(path);
      const version = `${ino}:${mtimeMs}:${size}`;
      const kept = this.#kept.get(path);
      if (kept?.version === version) return kept;
      const fresh = { version, text: await readFile(path, 'utf8') };
      this.#kept.set(path, fresh);
      return fresh;
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
      throw new MetricSourceError(
        'credentials',
        `cannot read ${path}: ${code}; check that it exists and may be read by this user`,
      );
    }
  }

  /** One secret: the file without its surrounding white space. @throws MetricSourceError when it is empty or not one line. */
  async line(path: string): Promise<string> {
    const text = (await this.read(path)).text.trim();
    if (text === '') throw new MetricSourceError('credentials', `${path} is empty; put the secret into it`);
    // Anything else could smuggle a second header line into the request.
    if (!/^[\x20-\x7e]+$/.test(text)) {
      throw new MetricSourceError('credentials', `${path} must hold one line of printable ASCII`);
    }
    return text;
  }
}
