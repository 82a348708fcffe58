import { DerError, TAG, expectTag, readBoolean, readDer, readDerAll, readOid, readTime, type DerValue } from './der.ts';

/** Bits of the key usage extension in their order (RFC 5280, 4.2.1.3). */
const KEY_USAGE_BITS = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;
export type KeyUsage = (typeof KEY_USAGE_BITS)[number];

export const EKU = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' } as const;

/** What an SVID check needs of a certificate and Node does not show, or shows wrongly. */
export type CertificateFacts = {
  /** Milliseconds since the epoch; both instants belong to the time of validity. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly signatureAlgorithm: string;
  readonly subjectEmpty: boolean;
  /** Null when the extension is absent, which means "not a CA". */
  readonly basicConstraints: { readonly ca: boolean; readonly pathLength: number | null } | null;
  readonly keyUsage: { readonly critical: boolean; readonly bits: ReadonlySet<KeyUsage> } | null;
  /** Object identifiers. */
  readonly extendedKeyUsage: readonly string[] | null;
  readonly subjectAltName: { readonly critical: boolean; readonly uris: readonly string[] } | null;
  /** Extensions that bind whoever relies on the certificate and that nothing here evaluates. */
  readonly unknownBinding: readonly string[];
};

type Extension = { readonly critical: boolean; readonly value: Buffer };

const OID = {
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  nameConstraints: '2.5.29.30',
} as const;
const EVALUATED: ReadonlySet<string> = new Set([
  OID.subjectAltName,
  OID.basicConstraints,
  OID.keyUsage,
  OID.extendedKeyUsage,
]);
const EXTENSIONS_TAG = 0xa3;
const VERSION_TAG = 0xa0;
const URI_TAG = 0x86;

/** @throws DerError when the bytes are no certificate, or hold an extension twice. */
export function readCertificateFacts(der: Buffer): CertificateFacts {
  const [tbs, algorithm] = readDerAll(readDer(der, TAG.sequence).content);
  const fields = readDerAll(expectTag(tbs, TAG.sequence).content);
  if (fields[0]?.tag === VERSION_TAG) fields.shift();
  const [, , , validity, subject] = fields;
  const [notBefore, notAfter] = readDerAll(expectTag(validity, TAG.sequence).content);
  const extensions = readExtensions(fields.find((field) => field.tag === EXTENSIONS_TAG));
  return {
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
    signatureAlgorithm: readOid(readDerAll(expectTag(algorithm, TAG.sequence).content)[0]),
    subjectEmpty: expectTag(subject, TAG.sequence).content.length === 0,
    basicConstraints: readBasicConstraints(extensions.get(OID.basicConstraints)),
    keyUsage: readKeyUsage(extensions.get(OID.keyUsage)),
    extendedKeyUsage: readExtendedKeyUsage(extensions.get(OID.extendedKeyUsage)),
    subjectAltName: readSubjectAltName(extensions.get(OID.subjectAltName)),
    unknownBinding: [...extensions]
      .filter(([oid, { critical }]) => (critical && !EVALUATED.has(oid)) || oid === OID.nameConstraints)
      .map(([oid]) => oid),
  };
}

function readExtensions(field: DerValue | undefined): ReadonlyMap<string, Extension> {
  const found = new Map<string, Extension>();
  if (field === undefined) return found;
  for (const item of readDerAll(readDer(field.content, TAG.sequence).content)) {
    const [oid, ...rest] = readDerAll(expectTag(item, TAG.sequence).content);
    const name = readOid(oid);
    const critical = rest[0]?.tag === TAG.boolean && readBoolean(rest.shift());
    if (found.has(name)) throw new DerError(`extension ${name} stands twice`);
    found.set(name, { critical, value: expectTag(rest[0], TAG.octetString).content });
  }
  return found;
}

function readBasicConstraints(extension: Extension | undefined): CertificateFacts['basicConstraints'] {
  if (extension === undefined) return null;
  const values = readDerAll(readDer(extension.value, TAG.sequence).content);
  const ca = values[0]?.tag === TAG.boolean && readBoolean(values.shift());
  if (values[0] === undefined) return { ca, pathLength: null };
  const { content } = expectTag(values[0], TAG.integer);
  if (content.length !== 1 || (content[0] ?? 0x80) > 0x7f) throw new DerError('the path length is not a small number');
  return { ca, pathLength: content[0] ?? 0 };
}

function readKeyUsage(extension: Extension | undefined): CertificateFacts['keyUsage'] {
  if (extension === undefined) return null;
  const { content } = readDer(extension.value, TAG.bitString);
  if ((content[0] ?? 8) > 7) throw new DerError('the key usage is not a bit string');
  // The first byte counts unused bits; the rest hold them from the highest bit down.
  const isSet = (bit: number): boolean => (((content[1 + (bit >> 3)] ?? 0) >> (7 - (bit & 7))) & 1) === 1;
  return { critical: extension.critical, bits: new Set(KEY_USAGE_BITS.filter((_, bit) => isSet(bit))) };
}

function readExtendedKeyUsage(extension: Extension | undefined): readonly string[] | null {
  if (extension === undefined) return null;
  return readDerAll(readDer(extension.value, TAG.sequence).content).map(readOid);
}

function readSubjectAltName(extension: Extension | undefined): CertificateFacts['subjectAltName'] {
  if (extension === undefined) return null;
  const names = readDerAll(readDer(extension.value, TAG.sequence).content);
  const uris = names.filter((name) => name.tag === URI_TAG).map((name) => name.content.toString('latin1'));
  return { critical: extension.critical, uris };
}
