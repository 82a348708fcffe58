import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DevCaError } from '../identity/dev-ca.ts';
import { loadSvid } from '../identity/svid-source.ts';
import { makeTestPki } from '../test/support/ca.ts';
import { runCaGrantKey, runCaInit, runCaIssue, subjectId, type Subject } from './ca.ts';

describe('fettle ca', () => {
  const ids: [Subject, string][] = [
    [{ kind: 'coordinator' }, 'spiffe://example.com/coordinator'],
    [{ kind: 'trigger-daemon', name: 'td1' }, 'spiffe://example.com/trigger-daemon/td1'],
    [{ kind: 'agent', datacenter: 'dc1', nodeType: 'web', node: 'web-1' }, 'spiffe://example.com/agent/dc1/web/web-1'],
    [{ kind: 'person', name: 'ann' }, 'spiffe://example.com/person/ann'],
    [{ kind: 'id', id: 'spiffe://example.com/a/b' }, 'spiffe://example.com/a/b'],
  ];
  for (const [subject, id] of ids) {
    test(`gives ${subject.kind} the id ${id}`, () => assert.equal(subjectId('example.com', subject), id));
  }
  for (const name of ['', '.', '..', 'a/b', 'a b', '../coordinator', 'ä']) {
    test(`refuses the name ${JSON.stringify(name)}`, () =>
      assert.throws(() => subjectId('example.com', { kind: 'person', name }), DevCaError));
  }
  test('makes a CA, an SVID for each role, and the grant keys', async () => {
    await using pki = await makeTestPki('unused.test');
    const dir = join(pki.dir, 'new');
    const { trustDomain } = await runCaInit({ dir, trustDomain: 'example.com' });
    assert.equal(trustDomain, 'example.com');
    for (const [subject, id] of ids) {
      const written = await runCaIssue({ caDir: dir, subject, out: join(dir, subject.kind), hours: 1 });
      assert.equal((await loadSvid({ ...written, federated: [] })).id.text, id);
    }
    assert.match((await runCaGrantKey({ out: dir })).publicKey, /grant\.pub$/);
  });
});
