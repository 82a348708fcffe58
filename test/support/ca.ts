import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IdentityConfig } from '../../config/connections.ts';
import { initCa, issue, makeGrantKey, type WrittenGrantKey, type WrittenSvid } from '../../identity/dev-ca.ts';
import type { MintOptions } from '../../identity/mint.ts';

/** A trust domain of its own in a temporary folder: CA, grant keys, and SVIDs as they are asked for. */
export type TestPki = AsyncDisposable & {
  readonly dir: string;
  readonly caDir: string;
  readonly trustDomain: string;
  /** File name of the PEM bundle. */
  readonly bundle: string;
  readonly grantKeys: WrittenGrantKey;
  /** An SVID for `spiffe://<trust domain><path>`; `override` makes bad ones. Each call with another `name` or path is new. */
  readonly issue: (path: string, options?: TestIssueOptions) => Promise<TestSvid>;
};

export type TestIssueOptions = {
  readonly hours?: number;
  /** Folder name, when one path is issued twice. */
  readonly name?: string;
  readonly renew?: boolean;
  readonly override?: Partial<MintOptions>;
};

export type TestSvid = WrittenSvid & {
  /** The files as a role's configuration names them. */
  readonly identity: IdentityConfig;
};

export async function makeTestPki(trustDomain = 'example.com'): Promise<TestPki> {
  const dir = await mkdtemp(join(tmpdir(), 'fettle-pki-'));
  const caDir = join(dir, 'ca');
  const ca = await initCa(caDir, trustDomain);
  const grantKeys = await makeGrantKey(join(dir, 'grant'));
  return {
    dir,
    caDir,
    trustDomain,
    bundle: ca.bundle,
    grantKeys,
    issue: async (path, options = {}) => {
      const out = join(dir, 'svids', options.name ?? path.slice(1).replaceAll('/', '_'));
      const { hours, renew, override } = options;
      const written = await issue({
        caDir,
        id: `spiffe://${trustDomain}${path}`,
        out,
        ...(hours === undefined ? {} : { hours }),
        ...(renew === undefined ? {} : { renew }),
        ...(override === undefined ? {} : { override }),
      });
      const { certificate, key, bundle } = written;
      return { ...written, identity: { certificate, key, bundle, federated: [] } };
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}
