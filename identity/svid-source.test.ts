import assert from 'node:assert/strict';
import { chmod, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeTestPki, type TestPki } from '../test/support/ca.ts';
import { openSvidSource, SvidSourceError, type SvidSourceOptions } from './svid-source.ts';

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `not within 10 s: ${what}`);
    await sleep(20);
  }
}

/** A log that keeps its lines. */
function keptLog(): { log: SvidSourceOptions['log']; lines: string[] } {
  const lines: string[] = [];
  const keep = (...words: unknown[]): void => void lines.push(words.map((word) => JSON.stringify(word)).join(' '));
  return { log: { info: keep, warn: keep, error: keep }, lines };
}

const refused = (message: RegExp) => (error: unknown) =>
  error instanceof SvidSourceError && message.test(error.message);

describe('the source of the own identity', () => {
  let pki: TestPki;
  before(async () => {
    pki = await makeTestPki('example.com');
  });
  after(() => pki[Symbol.asyncDispose]());

  test('gives the SVID, its key and every bundle by its trust domain', async () => {
    const { identity } = await pki.issue('/coordinator', { name: 'load' });
    await using friend = await makeTestPki('friend.test');
    const federated = [{ trustDomain: 'friend.test', bundle: friend.bundle }];
    await using source = await openSvidSource({ ...identity, federated }, keptLog());
    const svid = source.current();
    assert.equal(svid.id.text, 'spiffe://example.com/coordinator');
    assert.deepEqual([...svid.bundles.keys()], ['example.com', 'friend.test']);
    assert.equal(svid.chainDer.length, 1);
    assert.equal(svid.key.asymmetricKeyType, 'ec');
    assert.equal(source.expired(), false);
    assert.equal(source.problem(), null);
  });

  test('follows a renewal by rename, and tells about it once', async () => {
    const { identity, certificate } = await pki.issue('/coordinator', { name: 'renewal' });
    await using source = await openSvidSource(identity, { ...keptLog(), pollMs: 600_000 });
    const before = source.current();
    let told = 0;
    source.onChange(() => (told += 1));
    await pki.issue('/coordinator', { name: 'renewal', renew: true });
    await until(() => told > 0, 'the change is told');
    assert.notEqual(source.current().chainPem, before.chainPem);
    // The same content written again is no change.
    await writeFile(`${certificate}.same`, await readFile(certificate));
    await rename(`${certificate}.same`, certificate);
    await source.reload();
    assert.equal(told, 1);
  });

  test('sees a change by looking, when no event of the file system comes', async () => {
    const { identity } = await pki.issue('/coordinator', { name: 'poll' });
    await using source = await openSvidSource(identity, { ...keptLog(), pollMs: 50 });
    const before = source.current();
    await pki.issue('/coordinator', { name: 'poll', renew: true });
    await until(() => source.current().chainPem !== before.chainPem, 'the change is seen');
  });

  test('keeps the old identity while the files do not fit, says why, and recovers', async () => {
    const { identity, key, bundle } = await pki.issue('/coordinator', { name: 'misfit' });
    const other = await pki.issue('/other');
    const { log, lines } = keptLog();
    await using source = await openSvidSource(identity, { log });
    const before = source.current();
    const goodKey = await readFile(key);
    const goodBundle = await readFile(bundle);
    await writeFile(key, await readFile(other.key));
    await source.reload();
    assert.match(source.problem() ?? '', /svid\.key: this key does not belong to the certificate/);
    await writeFile(key, 'not a key, but a secret');
    await source.reload();
    assert.match(source.problem() ?? '', /not a private key/);
    await writeFile(key, goodKey);
    await writeFile(bundle, '');
    await source.reload();
    assert.match(source.problem() ?? '', /holds no certificate/);
    await rm(bundle);
    await source.reload();
    assert.match(source.problem() ?? '', /cannot be read/);
    assert.equal(source.current(), before);
    await writeFile(bundle, goodBundle);
    await source.reload();
    assert.equal(source.problem(), null);
    assert.ok(!lines.some((line) => line.includes('but a secret') || line.includes('PRIVATE KEY')), 'no key is logged');
  });

  test('starts with an expired certificate, and says that it has', async () => {
    const past = { notBefore: new Date(Date.now() - 120_000), notAfter: new Date(Date.now() - 60_000) };
    const { identity } = await pki.issue('/coordinator', { name: 'expired', override: past });
    const { log, lines } = keptLog();
    await using source = await openSvidSource(identity, { log });
    assert.equal(source.expired(), true);
    assert.ok(lines.some((line) => line.includes('has expired')));
  });

  test('warns when others may read the key', async () => {
    const { identity, key } = await pki.issue('/coordinator', { name: 'mode' });
    const { log, lines } = keptLog();
    await (await openSvidSource(identity, { log }))[Symbol.asyncDispose]();
    assert.deepEqual(lines, []);
    await chmod(key, 0o644);
    await (await openSvidSource(identity, { log }))[Symbol.asyncDispose]();
    assert.match(lines.join('\n'), /others may read this key; run chmod 600/);
  });

  test('refuses to start with files that are no SVID, naming file and reason', async () => {
    const { log } = keptLog();
    const good = await pki.issue('/good');
    const twoUris = await pki.issue('/bad', {
      override: { uris: ['spiffe://example.com/a', 'spiffe://example.com/b'] },
    });
    await using stranger = await makeTestPki('example.com');
    await assert.rejects(
      openSvidSource(twoUris.identity, { log }),
      refused(/svid\.pem: not usable as an SVID: .*exactly one/),
    );
    await assert.rejects(
      openSvidSource({ ...good.identity, bundle: stranger.bundle }, { log }),
      refused(/does not lead to a certificate in the bundle/),
    );
    await assert.rejects(
      openSvidSource({ ...good.identity, certificate: good.key }, { log }),
      refused(/holds no PEM certificate/),
    );
    await assert.rejects(
      openSvidSource({ ...good.identity, key: '/nowhere/x.key' }, { log }),
      refused(/x\.key: cannot be read/),
    );
    const federated = [{ trustDomain: 'example.com', bundle: good.bundle }];
    await assert.rejects(openSvidSource({ ...good.identity, federated }, { log }), refused(/has two bundles/));
    const wrong = [{ trustDomain: 'friend.test', bundle: good.bundle }];
    await assert.rejects(
      openSvidSource({ ...good.identity, federated: wrong }, { log }),
      refused(/CA of another trust domain/),
    );
  });
});
