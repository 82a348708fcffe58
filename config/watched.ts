/** Configuration that follows its files: read again on demand and when they change; a bad file leaves the last good one in force. */
import { watch, type FSWatcher } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ConfigError, type Loaded } from './loaded.ts';
import type { Problem } from './problem.ts';

export type WatchOptions<T> = {
  readonly load: () => Promise<Loaded<T>>;
  /** What was read already; default: `load` is called at once. */
  readonly first?: Loaded<T>;
  /** Files and folders to watch; they need not exist. Files that are read because these name them are watched too. */
  readonly paths: readonly string[];
  /** Called in order, never two at once, with each new configuration and the warnings it came with. */
  readonly onChange: (config: T, warnings: readonly Problem[]) => void | Promise<void>;
  /** Called when files are bad and the old configuration stays in force. */
  readonly onProblems: (problems: readonly Problem[]) => void;
  /** How often to look for what no notification told; default 5000 ms. */
  readonly pollMs?: number | undefined;
  /** How long to wait for an editor to finish; default 100 ms. */
  readonly debounceMs?: number | undefined;
};

export type WatchStatus = {
  /** When the configuration in force was read. */
  readonly loadedAt: Date;
  /** Of the last reading: errors when it was refused, else its warnings. */
  readonly problems: readonly Problem[];
  readonly files: readonly string[];
};

export type Watched<T> = AsyncDisposable & {
  readonly current: () => T;
  readonly status: () => WatchStatus;
  /** Reads again now; true when the files are good. Resolves when `onChange` has returned. */
  readonly reload: () => Promise<boolean>;
};

/**
 * Reads once, then follows the files until disposed.
 * @throws ConfigError when the first reading holds an error
 */
export async function watchConfig<T>(options: WatchOptions<T>): Promise<Watched<T>> {
  const before = await fingerprint(options.paths);
  const first = options.first ?? (await options.load());
  if (first.config === null) throw new ConfigError(first.problems);
  const beside = await fingerprint(besidePaths(options.paths, first.files));
  return new FileFollower(options, { config: first.config, loaded: first, fingerprint: before, beside });
}

type Begin<T> = {
  readonly config: T;
  readonly loaded: Loaded<T>;
  readonly fingerprint: string;
  readonly beside: string;
};

/** What was read beside the files and folders named, because those name it: a calendar, say. */
const besidePaths = (paths: readonly string[], files: readonly string[]): readonly string[] =>
  files.filter((file) => !paths.includes(file) && !paths.includes(dirname(file)));

class FileFollower<T> implements Watched<T> {
  readonly #options: WatchOptions<T>;
  #config: T;
  #status: WatchStatus;
  #fingerprint: string;
  #beside: string;
  #watchers: FSWatcher[] = [];
  #debounce: NodeJS.Timeout | null = null;
  readonly #poll: NodeJS.Timeout;
  /** Readings run one after the other. */
  #work: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: WatchOptions<T>, begin: Begin<T>) {
    this.#options = options;
    this.#config = begin.config;
    this.#status = { loadedAt: new Date(), problems: begin.loaded.problems, files: begin.loaded.files };
    this.#fingerprint = begin.fingerprint;
    this.#beside = begin.beside;
    this.#watch();
    this.#poll = setInterval(() => this.#lookSoon(0), options.pollMs ?? 5_000);
    this.#poll.unref();
    // Catches what changed between the first reading and the first notification.
    this.#lookSoon(0);
  }

  current = (): T => this.#config;
  status = (): WatchStatus => this.#status;
  reload = (): Promise<boolean> => this.#inTurn(() => this.#read());

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#poll);
    if (this.#debounce !== null) clearTimeout(this.#debounce);
    for (const watcher of this.#watchers) watcher.close();
    await this.#work.catch(() => {});
  }

  #inTurn<R>(work: () => Promise<R>): Promise<R> {
    const result = this.#work.then(work, work);
    this.#work = result.catch(() => {});
    return result;
  }

  /** Folders are watched rather than files: editors replace a file by renaming another over it. */
  #watch(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
    const named = [...this.#options.paths, ...this.#besidePaths()];
    const folders = new Set(named.flatMap((path) => [path, dirname(path)]));
    for (const folder of folders) {
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#lookSoon(this.#options.debounceMs ?? 100));
        // A folder that goes away or a limit of the system: the poll still sees every change.
        watcher.on('error', () => watcher.close());
        this.#watchers.push(watcher);
      } catch {
        // Not there yet, or no more watches to be had: the poll still sees every change.
      }
    }
  }

  #lookSoon(ms: number): void {
    if (this.#closed) return;
    if (this.#debounce !== null) clearTimeout(this.#debounce);
    this.#debounce = setTimeout(() => {
      this.#debounce = null;
      this.#inTurn(() => this.#look()).catch(() => {});
    }, ms);
    this.#debounce.unref();
  }

  readonly #besidePaths = (): readonly string[] => besidePaths(this.#options.paths, this.#status.files);

  async #look(): Promise<void> {
    if (this.#closed) return;
    const same = (await fingerprint(this.#options.paths)) === this.#fingerprint;
    if (same && (await fingerprint(this.#besidePaths())) === this.#beside) return;
    await this.#read();
    if (!this.#closed) this.#watch();
  }

  async #read(): Promise<boolean> {
    if (this.#closed) return false;
    // Taken before the reading: what changes meanwhile is seen as a change again.
    this.#fingerprint = await fingerprint(this.#options.paths);
    const before = this.#besidePaths();
    this.#beside = await fingerprint(before);
    const loaded = await this.#options.load();
    const { config, problems, files } = loaded;
    const beside = besidePaths(this.#options.paths, files);
    if (beside.join('\n') !== before.join('\n')) this.#beside = await fingerprint(beside);
    if (config === null) {
      this.#status = { ...this.#status, problems, files };
      this.#options.onProblems(problems);
      return false;
    }
    this.#config = config;
    this.#status = { loadedAt: new Date(), problems, files };
    return this.#announce(config, problems);
  }

  async #announce(config: T, warnings: readonly Problem[]): Promise<boolean> {
    try {
      await this.#options.onChange(config, warnings);
      return true;
    } catch (error) {
      const place = { file: this.#status.files[0] ?? '', line: 1, column: 1 };
      const message = `is good but could not be put into force: ${error instanceof Error ? error.message : String(error)}`;
      this.#status = { ...this.#status, problems: [...warnings, { place, path: '', severity: 'error', message }] };
      this.#options.onProblems(this.#status.problems);
      return false;
    }
  }
}

/** Name, inode, size and times of every file in question; nanoseconds, so that two writes within a millisecond differ. */
async function fingerprint(paths: readonly string[]): Promise<string> {
  const all: string[] = [];
  for (const path of paths) {
    const names = await readdir(path).catch(() => null);
    // A folder's own times change with every file of an editor's that is none of ours.
    if (names === null) all.push(path);
    else all.push(...names.filter((name) => basename(name).endsWith('.hcl')).map((name) => join(path, name)));
  }
  const lines = all.map(async (path) => {
    const info = await stat(path, { bigint: true }).catch(() => null);
    return info === null ? `${path} absent` : `${path} ${info.ino} ${info.size} ${info.mtimeNs} ${info.ctimeNs}`;
  });
  return (await Promise.all(lines)).join('\n');
}
