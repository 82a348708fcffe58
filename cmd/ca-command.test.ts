import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseSubject } from './ca-command.ts';
import { runCommandLine } from './command-line.ts';
import { testIo } from './testing.ts';

async function fettle(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = testIo();
  const code = await runCommandLine(words, io);
  return { code, out: io.out(), err: io.err() };
}

test('ca makes an authority, certificates and a grant key, prints what it wrote, and overwrites nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fettle-ca-'));
  try {
    const ca = join(folder, 'ca');
    const made = await fettle('ca', 'init', '--dir', ca, '--trust-domain', 'example.com');
    assert.equal(made.code, 0, made.err);
    assert.match(made.err, /development CA/);
    const issue = ['ca', 'issue', 'agent/dc1/web/web-1', '--dir', ca, '--out', join(folder, 'web-1')];
    const issued = await fettle(...issue);
    assert.equal(issued.code, 0, issued.err);
    assert.match(issued.err, /spiffe:\/\/example\.com\/agent\/dc1\/web\/web-1, valid until/);
    const files = issued.out.trim().split('\n');
    assert.equal(files.length, 3);
    assert.equal((await stat(files[1] ?? '')).mode & 0o777, 0o600);
    const before = await readFile(files[0] ?? '', 'utf8');
    const again = await fettle(...issue);
    assert.equal(again.code, 1);
    assert.match(again.err, /is there already and is not overwritten; try: fettle ca issue --help$/m);
    assert.equal(await readFile(files[0] ?? '', 'utf8'), before);
    assert.equal((await fettle(...issue, '--renew')).code, 0);
    assert.notEqual(await readFile(files[0] ?? '', 'utf8'), before);
    const grant = await fettle('ca', 'grant-key', '--out', join(folder, 'grant'));
    assert.deepEqual([grant.code, grant.out.trim().split('\n').length], [0, 2]);
    assert.equal((await fettle('ca', 'init', '--dir', ca, '--trust-domain', 'example.com')).code, 1);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a subject is a role, a person or a whole id, and nothing else', () => {
  assert.deepEqual(parseSubject('coordinator'), { kind: 'coordinator' });
  assert.deepEqual(parseSubject('person/oncall'), { kind: 'person', name: 'oncall' });
  assert.deepEqual(parseSubject('trigger-daemon/one'), { kind: 'trigger-daemon', name: 'one' });
  assert.deepEqual(parseSubject('spiffe://example.com/x'), { kind: 'id', id: 'spiffe://example.com/x' });
  assert.deepEqual(parseSubject('agent/dc1/web/web-1'), {
    kind: 'agent',
    datacenter: 'dc1',
    nodeType: 'web',
    node: 'web-1',
  });
  for (const text of [
    '',
    'person',
    'agent/dc1/web',
    'agent/dc1/web/web-1/x',
    'coordinator/1',
    '/person/x',
    'people/x',
  ]) {
    assert.throws(() => parseSubject(text), /nobody to issue a certificate for/, text);
  }
});

test('ca makes the token key, what Temporal checks it by, and the token of coordinators, which it renews', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fettle-ca-'));
  try {
    const made = await fettle('ca', 'token-key', '--out', folder);
    assert.equal(made.code, 0, made.err);
    const [key = '', jwks = ''] = made.out.trim().split('\n');
    assert.equal((await stat(key)).mode & 0o777, 0o600);
    assert.match(made.err, /fettle ca temporal-token --key/);
    const { createLocalJWKSet, jwtVerify } = await import('jose');
    const keys = createLocalJWKSet(JSON.parse(await readFile(jwks, 'utf8')));
    const out = join(folder, 'temporal.token');
    const make = ['ca', 'temporal-token', '--key', key, '--out', out, '--hours', '48'];
    const signed = await fettle(...make);
    assert.equal(signed.code, 0, signed.err);
    assert.doesNotMatch(signed.out + signed.err, /eyJ/, 'the token is shown');
    assert.equal((await stat(out)).mode & 0o777, 0o600);
    const first = await readFile(out, 'utf8');
    const at = new Date(testIo().now());
    const { payload } = await jwtVerify(first.trim(), keys, { currentDate: at });
    assert.deepEqual(payload['permissions'], ['temporal-system:admin', 'fettle:admin', 'fettle-agents:admin']);
    assert.equal(payload.exp, Math.floor(at.getTime() / 1000) + 48 * 3600);
    const again = await fettle(...make);
    assert.equal(again.code, 1);
    assert.match(again.err, /is there already and is not overwritten; try: fettle ca temporal-token --help$/m);
    assert.equal((await fettle(...make, '--renew')).code, 0);
    assert.notEqual(await readFile(out, 'utf8'), first);
    const none = await fettle('ca', 'temporal-token', '--key', join(folder, 'none'), '--out', join(folder, 'x'));
    assert.match(none.err, /cannot read the token key .*make one with: fettle ca token-key/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
