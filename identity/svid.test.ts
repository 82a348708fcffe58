import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EKU, readCertificateFacts } from './certificate-facts.ts';
import { DerError, readDer, readDerAll, TAG } from './der.ts';
import { CA, LEAF, mint, type Minted, type MintOptions } from './mint.ts';
import { checkSvidLeaf, SvidError, verifySvidChain, type SvidProblem } from './svid.ts';
import { parseTrustBundle, type TrustBundle } from './trust-bundle.ts';

const HOUR = 3_600_000;
const NOW = new Date(Math.floor(Date.now() / 1000) * 1000);
const at = (hours: number): Date => new Date(NOW.getTime() + hours * HOUR);
const dates = { notBefore: at(-1), notAfter: at(1) };

const ca = (trustDomain: string, override: Partial<MintOptions> = {}): Minted =>
  mint({
    ...CA,
    ...dates,
    issuer: null,
    commonName: `CA of ${trustDomain}`,
    uris: [`spiffe://${trustDomain}`],
    ...override,
  });
const leaf = (issuer: Minted, override: Partial<MintOptions> = {}): Minted =>
  mint({ ...LEAF, ...dates, issuer, commonName: 'leaf', uris: ['spiffe://example.com/person/ann'], ...override });
const bundle = (trustDomain: string, ...roots: Minted[]): [string, TrustBundle] => [
  trustDomain,
  parseTrustBundle(trustDomain, roots.map((root) => root.certificate.toString()).join('\n')),
];
const problem = (code: SvidProblem) => (error: unknown) => error instanceof SvidError && error.code === code;
const chain = (...minted: Minted[]): Buffer[] => minted.map(({ certificate }) => certificate.raw);

const root = ca('example.com');
const bundles = new Map([bundle('example.com', root)]);

describe('an X.509-SVID leaf', () => {
  const good: [string, Partial<MintOptions>][] = [
    ['as it should be', {}],
    ['without basic constraints', { ca: null }],
    ['without extended key usage', { extendedKeyUsage: null }],
    ['with DNS names beside its one URI', { dnsNames: ['a.example.com', 'b.example.com'] }],
    ['with an empty subject and a critical SAN', { commonName: null }],
    ['with keyAgreement too', { keyUsage: ['digitalSignature', 'keyAgreement'] }],
    ['with a comma and another URI within a DNS name', { dnsNames: ['a, URI:spiffe://example.com/admin'] }],
    [
      'with an unknown extension that is not critical',
      { extra: [{ oid: '1.2.3.4', critical: false, value: Buffer.from([5, 0]) }] },
    ],
    ['valid beyond 2050', { notAfter: new Date('2060-01-01T00:00:00Z') }],
    ['with every character that an id may hold', { uris: ['spiffe://example.com/A-z_0.9/...'] }],
  ];
  for (const [name, override] of good) {
    test(`is accepted ${name}`, () => {
      const expected = override.uris?.[0] ?? 'spiffe://example.com/person/ann';
      const { certificate } = leaf(root, override);
      assert.equal(checkSvidLeaf(certificate.raw, NOW).id.text, expected);
      assert.equal(verifySvidChain([certificate.raw], bundles, NOW).id.text, expected);
    });
  }
  const bad: [string, Partial<MintOptions>, SvidProblem][] = [
    ['two URIs', { uris: ['spiffe://example.com/a', 'spiffe://example.com/b'] }, 'certificate_two_uris'],
    ['the same URI twice', { uris: ['spiffe://example.com/a', 'spiffe://example.com/a'] }, 'certificate_two_uris'],
    [
      'a SPIFFE id and another URI',
      { uris: ['spiffe://example.com/a', 'https://example.com'] },
      'certificate_two_uris',
    ],
    ['no URI', { uris: [], dnsNames: ['a.example.com'] }, 'certificate_no_uri'],
    ['no SAN', { uris: [] }, 'certificate_no_uri'],
    ['an https id', { uris: ['https://example.com/a'] }, 'certificate_bad_id'],
    ['an upper-case scheme', { uris: ['SPIFFE://example.com/a'] }, 'certificate_bad_id'],
    ['an upper-case trust domain', { uris: ['spiffe://Example.com/a'] }, 'certificate_bad_id'],
    ['no path', { uris: ['spiffe://example.com'] }, 'certificate_bad_id'],
    ['an empty path', { uris: ['spiffe://example.com/'] }, 'certificate_bad_id'],
    ['a trailing slash', { uris: ['spiffe://example.com/a/'] }, 'certificate_bad_id'],
    ['an empty segment', { uris: ['spiffe://example.com//a'] }, 'certificate_bad_id'],
    ['a parent segment', { uris: ['spiffe://example.com/a/../b'] }, 'certificate_bad_id'],
    ['an encoded byte', { uris: ['spiffe://example.com/%61'] }, 'certificate_bad_id'],
    ['a query', { uris: ['spiffe://example.com/a?b'] }, 'certificate_bad_id'],
    ['a fragment', { uris: ['spiffe://example.com/a#b'] }, 'certificate_bad_id'],
    ['user information', { uris: ['spiffe://u@example.com/a'] }, 'certificate_bad_id'],
    ['a port', { uris: ['spiffe://example.com:1/a'] }, 'certificate_bad_id'],
    ['a NUL', { uris: ['spiffe://example.com/a\0b'] }, 'certificate_bad_id'],
    ['a byte beyond ASCII', { uris: ['spiffe://example.com/\xe4'] }, 'certificate_bad_id'],
    ['over 2048 bytes', { uris: [`spiffe://example.com/${'a'.repeat(2048)}`] }, 'certificate_bad_id'],
    ['CA true', { ca: true }, 'certificate_is_ca'],
    ['CA true with keyCertSign', { ca: true, keyUsage: ['digitalSignature', 'keyCertSign'] }, 'certificate_is_ca'],
    ['no key usage', { keyUsage: null }, 'certificate_no_key_usage'],
    ['a key usage that is not critical', { keyUsageCritical: false }, 'certificate_key_usage_not_critical'],
    ['keyCertSign', { keyUsage: ['digitalSignature', 'keyCertSign'] }, 'certificate_may_sign'],
    ['cRLSign', { keyUsage: ['digitalSignature', 'cRLSign'] }, 'certificate_may_sign'],
    ['no digitalSignature', { keyUsage: ['keyAgreement'] }, 'certificate_no_digital_signature'],
    ['EKU without clientAuth', { extendedKeyUsage: [EKU.serverAuth] }, 'certificate_extended_key_usage'],
    ['EKU without serverAuth', { extendedKeyUsage: [EKU.clientAuth] }, 'certificate_extended_key_usage'],
    [
      'an empty subject and a SAN that is not critical',
      { commonName: null, altNameCritical: false },
      'certificate_alt_name_not_critical',
    ],
    [
      'an unknown critical extension',
      { extra: [{ oid: '1.2.3.4', critical: true, value: Buffer.from([5, 0]) }] },
      'certificate_unknown_critical',
    ],
    [
      'name constraints',
      { extra: [{ oid: '2.5.29.30', critical: false, value: Buffer.from([0x30, 0]) }] },
      'certificate_unknown_critical',
    ],
    [
      'an extension twice',
      { extra: [{ oid: '2.5.29.15', critical: true, value: Buffer.from([3, 2, 7, 128]) }] },
      'certificate_malformed',
    ],
    ['an expired date', { notAfter: at(-0.5) }, 'certificate_expired'],
    ['a date to come', { notBefore: at(0.5) }, 'certificate_not_yet_valid'],
    [
      'more than 16 KiB',
      { dnsNames: Array.from({ length: 400 }, (_, n) => `${'a'.repeat(50)}${n}.example.com`) },
      'certificate_too_large',
    ],
  ];
  for (const [name, override, code] of bad) {
    test(`is refused for ${name}`, () => {
      const { certificate } = leaf(root, override);
      assert.throws(() => checkSvidLeaf(certificate.raw, NOW), problem(code));
      assert.throws(() => verifySvidChain([certificate.raw], bundles, NOW), problem(code));
    });
  }
  test('is good from its first second to the end of its last', () => {
    const { raw } = leaf(root).certificate;
    assert.ok(checkSvidLeaf(raw, dates.notBefore));
    assert.ok(checkSvidLeaf(raw, new Date(dates.notAfter.getTime() + 999)));
    assert.throws(() => checkSvidLeaf(raw, new Date(dates.notAfter.getTime() + 1000)), problem('certificate_expired'));
    assert.throws(
      () => checkSvidLeaf(raw, new Date(dates.notBefore.getTime() - 1)),
      problem('certificate_not_yet_valid'),
    );
  });
  test('is refused whichever of its bytes is cut off, and never with another error', () => {
    const { raw } = leaf(root).certificate;
    for (let length = 0; length < raw.length; length += 1) {
      assert.throws(() => checkSvidLeaf(raw.subarray(0, length), NOW), problem('certificate_malformed'));
    }
  });
  test('with any one byte changed it is refused as a chain', () => {
    const { raw } = leaf(root).certificate;
    for (let index = 0; index < raw.length; index += 1) {
      const changed = Buffer.from(raw);
      changed[index] = (changed[index] ?? 0) ^ 1;
      assert.throws(() => verifySvidChain([changed], bundles, NOW), SvidError, `byte ${index}`);
    }
  });
});

describe('a chain', () => {
  const intermediate = (override: Partial<MintOptions> = {}, issuer = root): Minted =>
    mint({ ...CA, ...dates, issuer, commonName: 'intermediate', uris: [], ...override });
  const good = intermediate();

  test('leads over intermediates to the bundle, in any order', () => {
    const second = intermediate({ commonName: 'second' }, good);
    const end = leaf(second);
    assert.equal(verifySvidChain(chain(end, second, good), bundles, NOW).id.path, '/person/ann');
    assert.equal(verifySvidChain(chain(end, good, second), bundles, NOW).id.path, '/person/ann');
    assert.equal(verifySvidChain(chain(end, second, good, root), bundles, NOW).id.path, '/person/ann');
  });
  test('gives the public key of its leaf', () => {
    const end = leaf(root);
    const { publicKey } = verifySvidChain(chain(end), bundles, NOW);
    assert.ok(end.certificate.publicKey.equals(publicKey));
  });
  test('is judged as of the instant asked for', () => {
    assert.throws(() => verifySvidChain(chain(leaf(root)), bundles, at(2)), problem('certificate_expired'));
    assert.throws(() => verifySvidChain(chain(leaf(root)), bundles, at(-2)), problem('certificate_not_yet_valid'));
  });
  test('may use any root of a bundle that holds two of one name', () => {
    const next = ca('example.com');
    const both = new Map([bundle('example.com', root, next)]);
    assert.ok(verifySvidChain(chain(leaf(next)), both, NOW));
    assert.ok(verifySvidChain(chain(leaf(root)), both, NOW));
  });

  const refused: [string, () => Minted[], SvidProblem][] = [
    ['without its intermediate', () => [leaf(good)], 'certificate_untrusted'],
    ['of another CA of the same name', () => [leaf(ca('example.com'))], 'certificate_untrusted'],
    ['with the foreign CA beside it', () => [leaf(ca('example.com')), ca('example.com')], 'certificate_untrusted'],
    ['over an intermediate that is no CA', () => chained({ ca: false }), 'certificate_untrusted'],
    ['over an intermediate without basic constraints', () => chained({ ca: null }), 'certificate_untrusted'],
    ['over an intermediate without keyCertSign', () => chained({ keyUsage: ['cRLSign'] }), 'certificate_untrusted'],
    ['over an intermediate without key usage', () => chained({ keyUsage: null }), 'certificate_untrusted'],
    ['over an expired intermediate', () => chained({ notAfter: at(-0.5) }), 'certificate_expired'],
    [
      'over an intermediate of another trust domain',
      () => chained({ uris: ['spiffe://friend.test'] }),
      'certificate_untrusted',
    ],
    [
      'over an intermediate with the id of a workload',
      () => chained({ uris: ['spiffe://example.com/ca'] }),
      'certificate_untrusted',
    ],
    [
      'over an intermediate with name constraints',
      () => chained({ extra: [{ oid: '2.5.29.30', critical: true, value: Buffer.from([0x30, 0]) }] }),
      'certificate_unknown_critical',
    ],
    ['of a leaf that signed a leaf', () => [leaf(leaf(root)), leaf(root)], 'certificate_untrusted'],
    [
      'longer than its path length allows',
      () => {
        const first = intermediate({ pathLength: 0 });
        const second = intermediate({ commonName: 'second' }, first);
        return [leaf(second), second, first];
      },
      'certificate_untrusted',
    ],
    ['of seven certificates', () => Array.from({ length: 7 }, () => leaf(root)), 'certificate_too_large'],
    ['of none', () => [], 'certificate_malformed'],
    [
      'of a trust domain that is not configured',
      () => [leaf(root, { uris: ['spiffe://friend.test/a'] })],
      'certificate_unknown_trust_domain',
    ],
  ];
  const chained = (override: Partial<MintOptions>): Minted[] => {
    const between = intermediate(override);
    return [leaf(between), between];
  };
  for (const [name, make, code] of refused) {
    test(`is refused ${name}`, () =>
      assert.throws(() => verifySvidChain(chain(...make()), bundles, NOW), problem(code)));
  }
  test('is never judged by the bundle of another trust domain', () => {
    const friend = ca('friend.test');
    const two = new Map([bundle('example.com', root), bundle('friend.test', friend)]);
    assert.ok(verifySvidChain(chain(leaf(friend, { uris: ['spiffe://friend.test/a'] })), two, NOW));
    assert.throws(() => verifySvidChain(chain(leaf(friend)), two, NOW), problem('certificate_untrusted'));
    assert.throws(
      () => verifySvidChain(chain(leaf(root, { uris: ['spiffe://friend.test/a'] })), two, NOW),
      problem('certificate_untrusted'),
    );
  });
});

describe('a bundle', () => {
  test('is refused when empty, unreadable, not of CAs, or of another trust domain', () => {
    const pem = (minted: Minted): string => minted.certificate.toString();
    assert.throws(() => parseTrustBundle('example.com', ''), /holds no certificate/);
    assert.throws(
      () => parseTrustBundle('example.com', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'),
      /cannot be read/,
    );
    assert.throws(() => parseTrustBundle('example.com', pem(leaf(root))), /not a CA/);
    assert.throws(() => parseTrustBundle('friend.test', pem(root)), /CA of another trust domain/);
  });
});

describe('DER', () => {
  const bad: [string, number[]][] = [
    ['an unbounded length', [0x30, 0x80, 0, 0]],
    ['a length longer than it need be', [0x04, 0x81, 0x01, 0]],
    ['a length with a zero before it', [0x04, 0x82, 0x00, 0x80, ...Buffer.alloc(128)]],
    ['a value that is cut off', [0x04, 0x05, 0]],
    ['a length of five bytes', [0x04, 0x85, 1, 0, 0, 0, 0]],
    ['a tag of two bytes', [0x1f, 0x81, 0x01, 0]],
    ['a lone tag', [0x04]],
  ];
  for (const [name, bytes] of bad) {
    test(`refuses ${name}`, () => assert.throws(() => readDerAll(Buffer.from(bytes)), DerError));
  }
  test('refuses bytes after the value', () => {
    assert.throws(() => readDer(Buffer.from([0x30, 0, 0x05, 0]), TAG.sequence), DerError);
    assert.throws(() => readCertificateFacts(Buffer.concat([root.certificate.raw, Buffer.from([5, 0])])), DerError);
  });
});
