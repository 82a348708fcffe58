import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { DevCaError, initCa, issue, makeGrantKey } from './dev-ca.ts';
import { loadSvid } from './svid-source.ts';

const run = promisify(execFile);
const refused = (message: RegExp) => (error: unknown) => error instanceof DevCaError && message.test(error.message);
const mode = async (file: string): Promise<string> => ((await stat(file)).mode & 0o777).toString(8);

describe('the development CA', () => {
  let dir: string;
  let caDir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'fettle-ca-'));
    caDir = join(dir, 'ca');
    await initCa(caDir, 'example.com');
  });
  after(() => rm(dir, { recursive: true, force: true }));

  test('issues SVIDs for 24 hours that pass our own checks and those of OpenSSL', async (context) => {
    const out = join(dir, 'coordinator');
    const written = await issue({ caDir, id: 'spiffe://example.com/coordinator', out });
    assert.ok(Math.abs(written.notAfter.getTime() - Date.now() - 24 * 3_600_000) < 60_000);
    const svid = await loadSvid({ ...written, federated: [] });
    assert.equal(svid.id.text, 'spiffe://example.com/coordinator');
    try {
      await run('openssl', ['version']);
    } catch {
      return context.diagnostic('no openssl here; its own check was left out');
    }
    const { stdout } = await run('openssl', ['verify', '-x509_strict', '-CAfile', written.bundle, written.certificate]);
    assert.match(stdout, /OK/);
  });

  test('keeps keys to their owner', async () => {
    assert.equal(await mode(join(caDir, 'ca.key')), '600');
    const { key, certificate } = await issue({ caDir, id: 'spiffe://example.com/mode', out: join(dir, 'mode') });
    assert.equal(await mode(key), '600');
    assert.equal(await mode(certificate), '644');
    const grant = await makeGrantKey(join(dir, 'grant-mode'));
    assert.equal(await mode(grant.privateKey), '600');
  });

  test('never overwrites: no CA, no SVID, no grant key', async () => {
    const out = join(dir, 'twice');
    const id = 'spiffe://example.com/twice';
    const { key, certificate } = await issue({ caDir, id, out });
    const before = [await readFile(key, 'utf8'), await readFile(certificate, 'utf8')];
    await assert.rejects(issue({ caDir, id, out }), refused(/is there already and is not overwritten/));
    await assert.rejects(initCa(caDir, 'example.com'), refused(/ca\.key: is there already/));
    await makeGrantKey(out);
    await assert.rejects(makeGrantKey(out), refused(/grant\.key: is there already/));
    assert.deepEqual([await readFile(key, 'utf8'), await readFile(certificate, 'utf8')], before);
  });

  test('leaves nothing behind when one of its files cannot be written', async () => {
    const out = join(dir, 'half');
    await issue({ caDir, id: 'spiffe://example.com/half', out });
    await rm(join(out, 'svid.key'));
    await assert.rejects(
      issue({ caDir, id: 'spiffe://example.com/half', out }),
      refused(/svid\.pem: is there already/),
    );
    await assert.rejects(stat(join(out, 'svid.key')), /ENOENT/);
  });

  test('renews an SVID in place, for the same id only', async () => {
    const out = join(dir, 'renew');
    const first = await issue({ caDir, id: 'spiffe://example.com/renew', out, hours: 1 });
    const before = await readFile(first.certificate, 'utf8');
    const second = await issue({ caDir, id: 'spiffe://example.com/renew', out, renew: true });
    assert.notEqual(await readFile(second.certificate, 'utf8'), before);
    assert.equal(await mode(second.key), '600');
    assert.ok(await loadSvid({ ...second, federated: [] }));
    await assert.rejects(
      issue({ caDir, id: 'spiffe://example.com/other', out, renew: true }),
      refused(/holds another id/),
    );
  });

  test('refuses ids of another trust domain, bad ids, bad lives, and folders without a CA of ours', async () => {
    const out = join(dir, 'refused');
    await assert.rejects(
      issue({ caDir, id: 'spiffe://friend.test/a', out }),
      refused(/write spiffe:\/\/example\.com\/a/),
    );
    await assert.rejects(issue({ caDir, id: 'example.com/a', out }), refused(/does not begin with spiffe/));
    await assert.rejects(issue({ caDir, id: 'spiffe://example.com/a', out, hours: 0 }), refused(/not a life/));
    await assert.rejects(issue({ caDir, id: 'spiffe://example.com/a', out, hours: Number.NaN }), refused(/not a life/));
    await assert.rejects(issue({ caDir: dir, id: 'spiffe://example.com/a', out }), refused(/fettle ca init/));
    await assert.rejects(initCa(join(dir, 'bad'), 'Example.com'), refused(/not a trust domain/));
    const foreign = join(dir, 'coordinator2');
    const leaf = await issue({ caDir, id: 'spiffe://example.com/leaf', out: foreign });
    await writeFile(join(foreign, 'ca.key'), await readFile(leaf.key));
    await writeFile(join(foreign, 'bundle.pem'), await readFile(leaf.certificate));
    await assert.rejects(
      issue({ caDir: foreign, id: 'spiffe://example.com/a', out }),
      refused(/not made by fettle ca init/),
    );
  });

  test('makes a grant key pair that belongs together', async () => {
    const { privateKey, publicKey } = await makeGrantKey(join(dir, 'grant'));
    const key = createPrivateKey(await readFile(privateKey));
    assert.equal(key.asymmetricKeyType, 'ed25519');
    const signature = sign(null, Buffer.from('x'), key);
    assert.ok(verify(null, Buffer.from('x'), createPublicKey(await readFile(publicKey)), signature));
  });
});
