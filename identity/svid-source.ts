import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { watch, type FSWatcher } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Logger } from 'pino';
import type { IdentityConfig } from '../config/connections.ts';
import type { SpiffeId } from '../config/spiffe-id.ts';
import { errorMessage } from './error-message.ts';
import { checkSvidLeaf, SvidError, verifySvidChain } from './svid.ts';
import { parsePemCertificates, parseTrustBundle, type TrustBundle, type TrustBundles } from './trust-bundle.ts';

/** This process' identity and what it trusts, all of one moment. */
export type Svid = {
  readonly id: SpiffeId;
  /** Leaf first, then intermediates. */
  readonly chainPem: string;
  readonly chainDer: readonly Buffer[];
  readonly key: KeyObject;
  /** PKCS#8 PEM, for TLS contexts. Never to be logged. */
  readonly keyPem: string;
  /** By trust domain, the own one included. */
  readonly bundles: TrustBundles;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
};

export type SvidSource = AsyncDisposable & {
  /** The last consistent set of files. May have expired: see `expired`. */
  readonly current: () => Svid;
  readonly expired: () => boolean;
  /** Why the files as they are now are not in force; null when they are. */
  readonly problem: () => string | null;
  /** Reads the files again at once; a bad set leaves the old one in force and becomes `problem`. */
  readonly reload: () => Promise<void>;
  /** Called after each change. Returns the way to stop it. */
  readonly onChange: (listener: (svid: Svid) => void) => () => void;
};

export type SvidSourceOptions = {
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** How often files are looked at even when no file event came, milliseconds; default 10 s. */
  readonly pollMs?: number;
};

export class SvidSourceError extends Error {
  override readonly name = 'SvidSourceError';
}

const MAX_FILE_BYTES = 1024 * 1024;
/** Renewal writes key and certificate one after the other: one look after both. Milliseconds. */
const SETTLE_MS = 100;

/**
 * Loads the SVID, its key and all bundles, checks them, and keeps them up to date as the files change.
 * @throws SvidSourceError naming the file and what is wrong with it
 */
export async function openSvidSource(config: IdentityConfig, options: SvidSourceOptions): Promise<SvidSource> {
  const { log } = options;
  let svid = await loadSvid(config);
  let seen = await stamp(config);
  let problem: string | null = null;
  const listeners = new Set<(svid: Svid) => void>();
  await warnAboutKeyMode(config.key, log);
  if (svid.notAfter < Date.now()) log.error({ spiffe_id: svid.id.text }, 'own certificate has expired; renew it');

  const load = async (): Promise<void> => {
    const before = await stamp(config);
    try {
      const next = await loadSvid(config);
      if (problem !== null) log.info('identity files are consistent again');
      problem = null;
      seen = before;
      if (same(svid, next)) return;
      svid = next;
      await warnAboutKeyMode(config.key, log);
      log.info(
        { spiffe_id: next.id.text, not_after: new Date(next.notAfter).toISOString() },
        'identity files reloaded',
      );
      for (const listener of listeners) listener(next);
    } catch (error) {
      const message = errorMessage(error);
      if (problem !== message)
        log.error({ problem: message }, 'identity files are not usable; the old ones stay in force');
      problem = message;
    }
  };
  // One load at a time, so that an older reading never follows a newer one.
  let queue: Promise<void> = Promise.resolve();
  const reload = (): Promise<void> => (queue = queue.then(load));
  const check = async (): Promise<void> => {
    if (problem !== null || (await stamp(config)) !== seen) await reload();
  };

  let settle: NodeJS.Timeout | undefined;
  const soon = (): void => {
    clearTimeout(settle);
    settle = setTimeout(() => void check(), SETTLE_MS).unref();
  };
  const watchers = watchFiles(files(config), soon);
  const poll = setInterval(() => void check(), options.pollMs ?? 10_000).unref();
  return {
    current: () => svid,
    expired: () => Date.now() >= svid.notAfter + 1000,
    problem: () => problem,
    reload,
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(poll);
      clearTimeout(settle);
      for (const watcher of watchers) watcher.close();
      listeners.clear();
      await queue;
    },
  };
}

/**
 * Reads and checks one set of files. An expired certificate is accepted: whoever is down for long must still be able to
 * start, say so, and renew.
 * @throws SvidSourceError
 */
export async function loadSvid(config: IdentityConfig): Promise<Svid> {
  const chain = await readChain(config.certificate);
  const leaf = chain[0];
  if (leaf === undefined)
    throw new SvidSourceError(`${config.certificate}: holds no PEM certificate; write the chain, leaf first`);
  const key = await readKey(config.key);
  if (!leaf.checkPrivateKey(key)) {
    throw new SvidSourceError(`${config.key}: this key does not belong to the certificate in ${config.certificate}`);
  }
  // Judged within its own time, so that an expired certificate is told from a bad one.
  const at = new Date(Math.min(Date.now(), Date.parse(leaf.validTo)));
  const chainDer = chain.map((certificate) => certificate.raw);
  try {
    const checked = checkSvidLeaf(leaf.raw, at);
    const bundles = await readBundles(config, checked.id.trustDomain);
    verifySvidChain(chainDer, bundles, at);
    return {
      ...checked,
      chainPem: chain.map((certificate) => certificate.toString()).join(''),
      chainDer,
      key,
      keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
      bundles,
    };
  } catch (error) {
    if (!(error instanceof SvidError)) throw error;
    throw new SvidSourceError(`${config.certificate}: not usable as an SVID: ${error.message}`, { cause: error });
  }
}

/** Reads one PEM bundle file. @throws SvidSourceError */
export async function readTrustBundle(trustDomain: string, file: string): Promise<TrustBundle> {
  const pem = await readText(file);
  try {
    return parseTrustBundle(trustDomain, pem);
  } catch (error) {
    throw new SvidSourceError(`${file}: ${errorMessage(error)}`, { cause: error });
  }
}

async function readBundles(config: IdentityConfig, own: string): Promise<TrustBundles> {
  const bundles = new Map([[own, await readTrustBundle(own, config.bundle)]]);
  for (const { trustDomain, bundle } of config.federated) {
    if (bundles.has(trustDomain)) {
      throw new SvidSourceError(`trust domain ${trustDomain} has two bundles; put all its certificates into one file`);
    }
    bundles.set(trustDomain, await readTrustBundle(trustDomain, bundle));
  }
  return bundles;
}

async function readChain(file: string): Promise<X509Certificate[]> {
  const pem = await readText(file);
  try {
    return parsePemCertificates(pem);
  } catch (error) {
    throw new SvidSourceError(`${file}: a certificate in it cannot be read: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

async function readKey(file: string): Promise<KeyObject> {
  const pem = await readText(file);
  try {
    return createPrivateKey(pem);
  } catch {
    // OpenSSL's own words and the cause stay out of it: they may quote the text of a key.
    throw new SvidSourceError(`${file}: not a private key; write an unencrypted PEM key (PKCS#8, EC or RSA)`);
  }
}

async function readText(file: string): Promise<string> {
  try {
    await using handle = await open(file, 'r');
    const { size } = await handle.stat();
    if (size > MAX_FILE_BYTES) throw new SvidSourceError(`${file}: larger than ${MAX_FILE_BYTES} bytes`);
    return await handle.readFile('utf8');
  } catch (error) {
    if (error instanceof SvidSourceError) throw error;
    throw new SvidSourceError(`${file}: cannot be read: ${errorMessage(error)}`, { cause: error });
  }
}

async function warnAboutKeyMode(file: string, log: SvidSourceOptions['log']): Promise<void> {
  const { mode } = await stat(file);
  if ((mode & 0o077) === 0) return;
  log.warn({ file, mode: (mode & 0o777).toString(8) }, `${file}: others may read this key; run chmod 600 on it`);
}

const files = (config: IdentityConfig): string[] => [
  config.certificate,
  config.key,
  config.bundle,
  ...config.federated.map((domain) => domain.bundle),
];

/** Changes when any of the files does. */
async function stamp(config: IdentityConfig): Promise<string> {
  const parts = files(config).map(async (file) => {
    try {
      const { mtimeNs, size, ino } = await stat(file, { bigint: true });
      return `${mtimeNs}:${size}:${ino}`;
    } catch {
      return 'absent';
    }
  });
  return (await Promise.all(parts)).join(' ');
}

/** Watches folders, not files: renewal by rename would leave a watcher on the replaced file. The poll is the net below it. */
function watchFiles(names: string[], changed: () => void): FSWatcher[] {
  return [...new Set(names.map((name) => dirname(name)))].flatMap((folder) => {
    const wanted = new Set(names.filter((name) => dirname(name) === folder).map((name) => basename(name)));
    try {
      // Symbolic links in mounted secrets change through another name of the folder, so `..data` counts as well.
      const watcher = watch(folder, { persistent: false }, (_, name) => {
        if (name === null || wanted.has(name) || name === '..data') changed();
      });
      watcher.on('error', () => watcher.close());
      return [watcher];
    } catch {
      return [];
    }
  });
}

function same(a: Svid, b: Svid): boolean {
  const text = (svid: Svid): string =>
    [svid.chainPem, svid.keyPem, ...[...svid.bundles].flatMap(([domain, { pem }]) => [domain, pem])].join('\n');
  return text(a) === text(b);
}
