/** What a re-ask makes of answers that a whole site gives only by bad luck. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { parseSpiffeId } from '../../config/spiffe-id.ts';
import { bareWorkflow } from '../../test/support/bare-workflow.ts';
import { PROTOCOL } from '../../workflows/contract.ts';
import type { Answer, Ask, Operation } from '../../workflows/gate/operations.ts';
import type { AskAgainInput } from '../../workflows/pending-request.ts';
import type { GateClient } from '../gate/gate-client.ts';
import { rulingOf } from '../gate/ruling.ts';
import { askAgain, type AskAgainOptions } from './ask-again.ts';

const NOW = Date.now();
const CALLER = parseSpiffeId('spiffe://example.com/person/ann').text;
const definition = bareWorkflow('restart');
const input: AskAgainInput = {
  protocol: PROTOCOL,
  domain: 'main',
  plan: {
    definition,
    args: {},
    target: { kind: 'node', node: 'web-1', nodeType: 'web', datacenter: 'dc1', labels: {} },
  },
  planDigest: 'plan',
  request: 'r1',
  caller: CALLER,
  reason: null,
  evidence: { summary: '', source: '', observedAt: NOW, validUntil: NOW, labels: {} },
  wish: true,
  episode: null,
  dryRun: false,
  rq: 'a:key',
  waitUntil: NOW + 60_000,
  n: 7,
  at: NOW,
  until: NOW + 30_000,
};
const NO_RULES = { routeRules: [], workflowRules: [], sourceRules: [] };

/** Asks a gate that gives this answer. */
async function asking(answer: Answer, more: Partial<AskAgainOptions> = {}, of: Partial<AskAgainInput> = {}) {
  const said: Operation[] = [];
  const gate: Pick<GateClient, 'submit' | 'ride'> = {
    submit: (operation) => {
      said.push(operation);
      return Promise.resolve(operation.op === 'ask' ? answer : { a: 'ok' });
    },
    ride: () => Promise.resolve({ a: 'ok' }),
  };
  const result = await askAgain(
    {
      name: 'c1',
      gate: gate as GateClient,
      ruling: (one) => rulingOf(one, { limits: [], labels: [] }),
      access: () => NO_RULES,
      start: () => Promise.resolve(),
      exists: () => Promise.resolve(false),
      startedFor: () => Promise.resolve(null),
      onDecision: () => undefined,
      log: pino({ level: 'silent' }),
      ...more,
    },
    { ...input, ...of },
  );
  return { result, said };
}

describe('asking again', () => {
  it('bears the first id, the caller, the longer of both waits, and a wish that still stands', async () => {
    const { said } = await asking({ a: 'pending', rq: 'a:key', ra: NOW, u: NOW + 30_000, pl: 0, r: [] });
    const [ask] = said as Ask[];
    assert.deepEqual([ask?.id, ask?.rq, ask?.by, ask?.wt], ['a:key/7', 'a:key', CALLER, NOW + 60_000]);
    assert.ok((ask?.eu ?? 0) >= NOW + 15 * 60_000);
  });

  it('starts what is admitted, once more if somebody did before', async () => {
    const started: string[] = [];
    const start: AskAgainOptions['start'] = ({ execution }) => Promise.resolve(void started.push(execution));
    const { result } = await asking({ a: 'admitted', l: [1, 5], sb: Date.now() + 10_000, known: true }, { start });
    assert.deepEqual(started, ['restart:web-1:1-5']);
    assert.ok(result.state === 'ended' && result.outcome === 'admitted' && result.execution === started[0]);
  });

  it('does not start what was admitted too long ago', async () => {
    const { result } = await asking({ a: 'admitted', l: [1, 5], sb: Date.now() - 1, known: true });
    assert.ok(result.state === 'ended' && result.outcome === 'expired', JSON.stringify(result));
  });

  it('ends, and gives its place up, when its caller may not run it any more', async () => {
    const access = {
      ...NO_RULES,
      workflowRules: [{ name: 'x', workflows: ['*'], nodeTypes: ['*'], uris: [], verbs: [] }],
    };
    const place = { file: 'c.hcl', line: 1, column: 1 };
    const rules = { ...access, workflowRules: access.workflowRules.map((rule) => ({ ...rule, place })) };
    const { result, said } = await asking({ a: 'too_old' }, { access: () => rules });
    assert.ok(result.state === 'ended' && result.outcome === 'refused', JSON.stringify(result));
    assert.deepEqual(
      said.map(({ op }) => op),
      ['leave'],
    );
  });

  it('looks at the record before it asks anew for what the gate has forgotten', async () => {
    const [started, never] = await Promise.all([
      asking({ a: 'too_old' }, { startedFor: () => Promise.resolve('restart:web-1:1-9') }),
      asking({ a: 'too_old' }),
    ]);
    assert.ok(started.result.state === 'ended' && started.result.execution === 'restart:web-1:1-9');
    assert.ok(never.result.state === 'waits' && never.result.until === input.until, 'it may wait as long as before');
    const { result } = await asking({ a: 'too_old' }, {}, { request: "r'1" });
    assert.ok(result.state === 'ended' && result.outcome === 'expired', 'nobody can tell, so nothing is done twice');
  });
});
