import { generateKeyPairSync, createHash, randomBytes, sign, X509Certificate, type KeyObject } from 'node:crypto';
import forge from 'node-forge';
import { EKU, type KeyUsage } from './certificate-facts.ts';
import { expectTag, readDer, readDerAll, TAG } from './der.ts';

/**
 * Builds and signs certificates, for the development CA and for tests that need bad ones. node-forge only writes DER here
 * and never checks anything; OpenSSL signs, with ECDSA P-256 and SHA-256.
 */
const { asn1 } = forge;
type Asn1 = forge.asn1.Asn1;
const { Class, Type } = asn1;

export type Issuer = { readonly certificate: X509Certificate; readonly key: KeyObject };
export type Minted = { readonly certificate: X509Certificate; readonly key: KeyObject };

export type MintOptions = {
  /** Null: self-signed. */
  readonly issuer: Issuer | null;
  /** Null: an empty subject. */
  readonly commonName: string | null;
  readonly uris: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Null: no basic constraints at all. */
  readonly ca: boolean | null;
  readonly pathLength?: number;
  /** Null: no key usage at all. */
  readonly keyUsage: readonly KeyUsage[] | null;
  readonly keyUsageCritical?: boolean;
  /** Object identifiers; null: none at all. */
  readonly extendedKeyUsage: readonly string[] | null;
  readonly altNameCritical?: boolean;
  /** Further extensions, as they are. */
  readonly extra?: readonly { readonly oid: string; readonly critical: boolean; readonly value: Buffer }[];
};

/** What a leaf has when nothing else is wished. */
export const LEAF = {
  ca: false,
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: [EKU.serverAuth, EKU.clientAuth],
} as const satisfies Partial<MintOptions>;

/** What a CA has. */
export const CA = {
  ca: true,
  keyUsage: ['keyCertSign', 'cRLSign'],
  extendedKeyUsage: null,
} as const satisfies Partial<MintOptions>;

/** A new P-256 key and a certificate for it. */
export function mint(options: MintOptions): Minted {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const subject = name(options.commonName);
  const issuer = options.issuer === null ? subject : subjectOf(options.issuer.certificate);
  const tbs = sequence(
    context(0, true, [integer(Buffer.from([2]))]),
    integer(Buffer.concat([Buffer.from([0x01]), randomBytes(15)])),
    sequence(oid(ECDSA_SHA256)),
    issuer,
    sequence(time(options.notBefore), time(options.notAfter)),
    subject,
    fromDer(spki),
    context(3, true, [sequence(...extensions(options, spki))]),
  );
  const signature = sign('sha256', toDer(tbs), options.issuer?.key ?? privateKey);
  const certificate = toDer(sequence(tbs, sequence(oid(ECDSA_SHA256)), bitString(signature)));
  return { certificate: new X509Certificate(certificate), key: privateKey };
}

const ECDSA_SHA256 = '1.2.840.10045.4.3.2';
const KEY_USAGE_ORDER: readonly KeyUsage[] = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
];

function extensions(options: MintOptions, spki: Buffer): Asn1[] {
  const issuerSpki = options.issuer?.certificate.publicKey.export({ type: 'spki', format: 'der' }) ?? spki;
  const made = [
    extension('2.5.29.14', false, octets(keyId(spki))),
    extension('2.5.29.35', false, sequence(context(0, false, keyId(issuerSpki)))),
  ];
  if (options.ca !== null) made.push(extension('2.5.29.19', true, basicConstraints(options.ca, options.pathLength)));
  if (options.keyUsage !== null) {
    made.push(extension('2.5.29.15', options.keyUsageCritical ?? true, keyUsage(options.keyUsage)));
  }
  if (options.extendedKeyUsage !== null) {
    made.push(extension('2.5.29.37', false, sequence(...options.extendedKeyUsage.map(oid))));
  }
  const names = [
    ...options.uris.map((uri) => context(6, false, Buffer.from(uri, 'latin1'))),
    ...(options.dnsNames ?? []).map((dns) => context(2, false, Buffer.from(dns, 'latin1'))),
  ];
  if (names.length > 0) {
    made.push(extension('2.5.29.17', options.altNameCritical ?? options.commonName === null, sequence(...names)));
  }
  for (const { oid: name, critical, value } of options.extra ?? []) {
    made.push(sequence(oid(name), ...(critical ? [boolean(true)] : []), octets(value)));
  }
  return made;
}

function keyUsage(usages: readonly KeyUsage[]): Asn1 {
  const bits = usages.reduce((sum, usage) => sum | (0x80 >> KEY_USAGE_ORDER.indexOf(usage)), 0);
  // DER counts the unused bits after the last one set.
  const unused = bits === 0 ? 0 : 31 - Math.clz32(bits & -bits);
  return asn1.create(
    Class.UNIVERSAL,
    Type.BITSTRING,
    false,
    binary(bits === 0 ? Buffer.from([0]) : Buffer.from([unused, bits])),
  );
}

const basicConstraints = (ca: boolean, pathLength: number | undefined): Asn1 =>
  sequence(...(ca ? [boolean(true)] : []), ...(pathLength === undefined ? [] : [integer(Buffer.from([pathLength]))]));

/** SHA-1 of the public key's bits names a key (RFC 5280, 4.2.1.2); it secures nothing. */
function keyId(spki: Buffer): Buffer {
  const [, bits] = readDerAll(readDer(spki, TAG.sequence).content);
  // The first byte counts unused bits.
  return createHash('sha1').update(expectTag(bits, TAG.bitString).content.subarray(1)).digest();
}

function name(commonName: string | null): Asn1 {
  if (commonName === null) return sequence();
  const part = (type: string, text: string): Asn1 =>
    set(sequence(oid(type), asn1.create(Class.UNIVERSAL, Type.UTF8, false, forge.util.encodeUtf8(text))));
  return sequence(part('2.5.4.10', 'Fettle'), part('2.5.4.3', commonName.slice(0, 64)));
}

/** The issuer's subject, byte for byte: names are compared as they stand. */
function subjectOf(certificate: X509Certificate): Asn1 {
  const [tbs] = readDerAll(readDer(certificate.raw, TAG.sequence).content);
  const subject = readDerAll(expectTag(tbs, TAG.sequence).content)[5];
  return fromDer(encodeSequence(expectTag(subject, TAG.sequence).content));
}

const encodeSequence = (content: Buffer): Buffer => {
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([TAG.sequence, ...size]), content]);
};

/** Before 2050 as UTCTime, from then on as GeneralizedTime (RFC 5280, 4.1.2.5). */
function time(date: Date): Asn1 {
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return date.getUTCFullYear() < 2050
    ? asn1.create(Class.UNIVERSAL, Type.UTCTIME, false, digits.slice(2))
    : asn1.create(Class.UNIVERSAL, Type.GENERALIZEDTIME, false, digits);
}

const extension = (type: string, critical: boolean, value: Asn1): Asn1 =>
  sequence(oid(type), ...(critical ? [boolean(true)] : []), octets(toDer(value)));
const binary = (bytes: Buffer): string => bytes.toString('latin1');
const sequence = (...values: Asn1[]): Asn1 => asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, values);
const set = (...values: Asn1[]): Asn1 => asn1.create(Class.UNIVERSAL, Type.SET, true, values);
const context = (tag: number, constructed: boolean, value: Asn1[] | Buffer): Asn1 =>
  // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- context tags have numbers of their own
  asn1.create(Class.CONTEXT_SPECIFIC, tag, constructed, Buffer.isBuffer(value) ? binary(value) : value);
const oid = (text: string): Asn1 => asn1.create(Class.UNIVERSAL, Type.OID, false, asn1.oidToDer(text).getBytes());
const integer = (bytes: Buffer): Asn1 => asn1.create(Class.UNIVERSAL, Type.INTEGER, false, binary(bytes));
const boolean = (value: boolean): Asn1 => asn1.create(Class.UNIVERSAL, Type.BOOLEAN, false, value ? '\xff' : '\x00');
const octets = (bytes: Buffer): Asn1 => asn1.create(Class.UNIVERSAL, Type.OCTETSTRING, false, binary(bytes));
const bitString = (bytes: Buffer): Asn1 => asn1.create(Class.UNIVERSAL, Type.BITSTRING, false, `\0${binary(bytes)}`);
const toDer = (value: Asn1): Buffer => Buffer.from(asn1.toDer(value).getBytes(), 'latin1');
const fromDer = (bytes: Buffer): Asn1 => asn1.fromDer(forge.util.createBuffer(binary(bytes)));
