import {
  initCa,
  issue,
  makeGrantKey,
  makeTokenKey,
  readCa,
  DevCaError,
  type WrittenCa,
  type WrittenGrantKey,
  type WrittenTokenKey,
  type WrittenSvid,
} from '../identity/dev-ca.ts';

/** What `fettle ca init|issue|grant-key` do, free of the command line: each returns what was written, and throws `DevCaError`. */

/** Said with everything these commands make. */
export const CA_NOTICE =
  'This is a development CA: its key lies in a file, protected by nothing but its mode. For production use SPIRE, Vault PKI or cert-manager.';

export type CaInitOptions = { readonly dir: string; readonly trustDomain: string };
export const runCaInit = (options: CaInitOptions): Promise<WrittenCa> => initCa(options.dir, options.trustDomain);

/** Who the SVID is for: a role with the names its id is made of, a person, or a whole id. */
export type Subject =
  | { readonly kind: 'coordinator' }
  | { readonly kind: 'trigger-daemon'; readonly name: string }
  | { readonly kind: 'agent'; readonly datacenter: string; readonly nodeType: string; readonly node: string }
  | { readonly kind: 'person'; readonly name: string }
  | { readonly kind: 'id'; readonly id: string };

export type CaIssueOptions = {
  readonly caDir: string;
  readonly subject: Subject;
  /** Folder for `svid.pem`, `svid.key` and `bundle.pem`. */
  readonly out: string;
  /** Default 24. */
  readonly hours?: number;
  /** Replace the SVID of the same id that is there. */
  readonly renew?: boolean;
};

export async function runCaIssue(options: CaIssueOptions): Promise<WrittenSvid> {
  const { trustDomain } = await readCa(options.caDir);
  const { caDir, out, hours, renew } = options;
  return issue({
    caDir,
    out,
    id: subjectId(trustDomain, options.subject),
    ...(hours === undefined ? {} : { hours }),
    ...(renew === undefined ? {} : { renew }),
  });
}

/** The key pair that coordinators sign grants with and agents check them by. */
export const runCaGrantKey = (options: { readonly out: string }): Promise<WrittenGrantKey> => makeGrantKey(options.out);

/** The key that coordinators sign agents' tokens with, and the file that Temporal checks them by. */
export const runCaTokenKey = (options: { readonly out: string }): Promise<WrittenTokenKey> => makeTokenKey(options.out);

/** `spiffe://<trust domain>/agent/dc1/web/web-1` and so on. @throws DevCaError when a name holds more than one path segment may */
export function subjectId(trustDomain: string, subject: Subject): string {
  if (subject.kind === 'id') return subject.id;
  if (subject.kind === 'coordinator') return `spiffe://${trustDomain}/coordinator`;
  if (subject.kind === 'agent') {
    const names = [subject.datacenter, subject.nodeType, subject.node].map(segment);
    return `spiffe://${trustDomain}/agent/${names.join('/')}`;
  }
  return `spiffe://${trustDomain}/${subject.kind}/${segment(subject.name)}`;
}

function segment(name: string): string {
  if (/^[A-Za-z0-9._-]{1,100}$/.test(name) && name !== '.' && name !== '..') return name;
  throw new DevCaError(
    `${JSON.stringify(name.slice(0, 100))} cannot stand in a SPIFFE id; write 1-100 of A-Z a-z 0-9 . _ -`,
  );
}
