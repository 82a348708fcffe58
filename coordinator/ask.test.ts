import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { bareWorkflow } from '../test/support/bare-workflow.ts';
import { PROTOCOL, type Target } from '../workflows/contract.ts';
import { MAX_OPERATION_BYTES } from '../workflows/gate/operations.ts';
import type { Asked } from '../workflows/pending-request.ts';
import { asksFor, askId, askOf as askUnder, type AskParts } from './ask.ts';
import { callerRef } from './caller-ref.ts';
import { shortDigestOf } from './digest.ts';

const definition = bareWorkflow('restart-service');
const NOW = 1_700_000_000_000;
const target = (node: string): Target => ({ kind: 'node', node, nodeType: 'web', datacenter: 'dc1', labels: {} });
const asked = (more: Partial<Asked> = {}, node = 'web-1'): Asked => ({
  protocol: PROTOCOL,
  domain: 'main',
  plan: { definition, args: {}, target: target(node) },
  planDigest: shortDigestOf('plan'),
  request: '7a2f1c9e-3f0b-4a54-9d3c-5f1f6c1e2b3d',
  caller: 'spiffe://example.com/trigger-daemon/dc1',
  reason: null,
  evidence: { summary: '', source: 'prometheus.main/web-wedged', observedAt: NOW, validUntil: NOW, labels: {} },
  wish: false,
  episode: { id: shortDigestOf('fault'), ob: '12345678', b: NOW, gap: 30_000, again: 600_000 },
  dryRun: false,
  ...more,
});
const parts = { id: askId('a', 'b'), at: NOW, evidenceUntil: NOW, waitUntil: NOW };
const askOf = (one: Asked, more: AskParts) => askUnder(one, { digest: '0123456789abcdef', labels: [] }, more);
const size = (ask: unknown): number => Buffer.byteLength(JSON.stringify(ask));

describe('an ask', () => {
  it('says who asked, under which id, told by what', () => {
    const ask = askOf(asked({ episode: null, caller: 'spiffe://example.com/person/ann' }), parts);
    assert.equal(ask.by, 'spiffe://example.com/person/ann');
    assert.equal(ask.q, '7a2f1c9e-3f0b-4a54-9d3c-5f1f6c1e2b3d');
    assert.equal(ask.ev, 'prometheus.main/web-wedged');
  });

  it('names a long request id by its digest', () => {
    const request = 'x'.repeat(41);
    assert.equal(askOf(asked({ request, episode: null }), parts).q, shortDigestOf(request));
  });

  it('stays within 400 bytes with long names, and still says who asked', () => {
    const long = asked({ caller: `spiffe://example.com/trigger-daemon/dc1` }, 'n'.repeat(40));
    for (const more of [{}, { rq: askId('c', 'd'), id: `${askId('c', 'd')}/1000` }]) {
      const ask = askOf(long, { ...parts, ...more });
      assert.ok(size(ask) <= MAX_OPERATION_BYTES, `${size(ask)}: ${JSON.stringify(ask)}`);
      assert.equal(ask.by, long.caller);
      assert.equal(ask.e?.id, long.episode?.id);
    }
  });

  it('is known by its request id, whatever of it there was room for', () => {
    const request = asked().request;
    const callers = ['spiffe://example.com/trigger-daemon/dc1', `spiffe://example.com/${'deep/'.repeat(12)}daemon`];
    for (const caller of callers) {
      for (const node of ['web-1', 'n'.repeat(30)]) {
        const ask = askOf(asked({ caller }, node), { ...parts, id: askId(caller, request) });
        const known = asksFor(ask, request) || size(ask) + 30 > MAX_OPERATION_BYTES;
        assert.ok(known && !asksFor(ask, 'another'), JSON.stringify(ask));
      }
    }
  });

  it('leaves out for want of room only what is for the record', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.string({ maxLength: 200 }),
        fc.string(),
        (length, source, request) => {
          const evidence = { ...asked().evidence, source };
          const bare = asked({ evidence, request }, 'n'.repeat(length));
          const { ev: _, q: __, ...essence } = askOf(bare, parts);
          const { ev, q, ...rest } = askOf(asked({}, 'n'.repeat(length)), parts);
          assert.deepEqual(essence, rest);
          assert.ok(size(askOf(bare, parts)) <= MAX_OPERATION_BYTES);
          assert.ok((ev ?? '').length <= 40 && (q ?? '').length <= 40);
        },
      ),
    );
  });
});

describe('the text of a caller', () => {
  it('is whole when it fits, and else still its own', () => {
    const short = 'spiffe://example.com/person/ann';
    assert.equal(callerRef(short), short);
    const long = (tail: string): string => `spiffe://example.com/${'deep/'.repeat(20)}${tail}`;
    assert.ok(callerRef(long('a')).length <= 60);
    assert.notEqual(callerRef(`a${long('x')}`), callerRef(`b${long('x')}`));
    assert.match(callerRef(long('ann')), /ann#/);
  });
});
