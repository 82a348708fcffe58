/** What is written down of a coordinator's doings, and what a file that takes no lines does to decisions. */
import assert from 'node:assert/strict';
import { readFile, symlink, unlink } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pino } from 'pino';
import { eventually, temporaryDirectory } from '../../test/support/processes.ts';
import type { Answer, Ask, Operation } from '../../workflows/gate/operations.ts';
import { callerRef } from '../caller-ref.ts';
import { openAuditor, type Auditor } from './auditor.ts';

const ASK: Ask = {
  op: 'ask',
  id: 'a:1',
  at: 0,
  w: 'restart',
  d: 'd1',
  t: { k: 'n', n: 'web-1' },
  p: 'plan',
  eu: 0,
  by: 'spiffe://example.com/person/ann',
  q: 'req-1',
};
const ADMITTED: Answer = { a: 'admitted', l: [1, 7], sb: 0, v: 2, n: [0, 1] };

describe('the auditor', () => {
  const stack = new AsyncDisposableStack();
  let directory: string;
  let files = 0;
  before(async () => {
    directory = stack.use(await temporaryDirectory()).path;
  });
  after(() => stack.disposeAsync());

  const open = async (required = false, make?: (file: string) => Promise<void>) => {
    files += 1;
    const stateDir = path.join(directory, `state-${files}`);
    const file = path.join(directory, `audit-${files}.jsonl`);
    await make?.(file);
    const config = { file, maxBytes: null, required };
    const log = pino({ level: 'silent' });
    const auditor = await openAuditor({ config, name: 'c1', version: '1', stateDir, log });
    const lines = async (): Promise<Record<string, unknown>[]> => {
      await auditor.close();
      const text = await readFile(file, 'utf8');
      const all: Record<string, unknown>[] = text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      return all.filter(({ kind }) => kind !== 'opened' && kind !== 'marker');
    };
    return { auditor, file, lines };
  };
  const person = { by: 'spiffe://example.com/person/bob', why: 'because' } as const;
  const tell = (auditor: Auditor, op: Operation, answer: Answer): void => void auditor.answered(op, answer);

  it('writes each decision with its counts or reasons, once', async () => {
    const { auditor, lines } = await open();
    tell(auditor, ASK, ADMITTED);
    tell(auditor, ASK, { ...ADMITTED, known: true });
    tell(auditor, { ...ASK, id: 'a:2' }, { a: 'refused', r: [['m', 't', 1, 1, 60_000]], v: 2 });
    tell(auditor, { ...ASK, id: 'a:1/1', rq: 'a:1' }, { a: 'pending', rq: 'a:1', ra: 0, u: 0, pl: 0, r: [] });
    tell(auditor, ASK, { a: 'unknown_definition' });
    const [admitted, refused, ...more] = await lines();
    assert.deepEqual(more, []);
    assert.equal(admitted?.['decision'], 'admitted');
    assert.equal(admitted['execution'], 'restart:web-1:1-7');
    assert.deepEqual([admitted['request'], admitted['caller'], admitted['counts']], ['req-1', ASK.by, [0, 1]]);
    assert.deepEqual(refused?.['reasons'], [
      { constraint: 'maxExecution', scope: 'target', limit: 1, current: 1, free: '1970-01-01T00:01:00.000Z' },
    ]);
  });

  it("writes people's words: yes, no, pause, resume, windows, frees, adoptions; and refused permits", async () => {
    const { auditor, lines } = await open();
    const at = { id: 'x', at: 0 } as const;
    const ok: Answer = { a: 'ok' };
    tell(auditor, { ...at, ...person, op: 'approve', rq: 'a:1', p: 'plan', glass: true }, ok);
    tell(auditor, { ...at, ...person, op: 'approve', rq: 'a:1', p: 'plan' }, { a: 'no_approval', c: 'same_person' });
    tell(auditor, { ...at, ...person, op: 'deny', rq: 'a:1' }, ok);
    tell(auditor, { ...at, ...person, op: 'pause', sc: { k: 'y', v: 'web' }, until: 0 }, ok);
    tell(auditor, { ...at, ...person, op: 'resume', pause: 'x' }, ok);
    tell(auditor, { ...at, ...person, op: 'window', nm: 'w', sc: { n: ['web-1'] }, f: 0, u: 1, src: 'p' }, ok);
    tell(auditor, { ...at, ...person, op: 'window', nm: 'w', sc: {}, f: 0, u: 1, src: 'f' }, ok);
    tell(auditor, { ...at, ...person, op: 'unwindow', nm: 'w' }, ok);
    tell(auditor, { ...at, ...person, op: 'free', l: [1, 7] }, ok);
    tell(auditor, { ...at, ...person, op: 'adopt' }, ok);
    const permit = { ...at, op: 'permit', l: [1, 7], p: 'plan', s: 'one', a: 1, n: 'web-1', busy: 1 } as const;
    tell(auditor, permit, { a: 'no_permit', c: 'paused', why: 'because' });
    tell(auditor, permit, { a: 'permit', bb: 0, bu: 0, no: 'n', at: 0 });
    const all = await lines();
    assert.deepEqual(
      all.map(({ kind }) => kind),
      [
        'approval',
        'approval',
        'denial',
        'pause',
        'resume',
        'window',
        'window_removed',
        'lease_freed',
        'gate_adopted',
        'permit_refused',
      ],
    );
    assert.deepEqual([all[0]?.['by'], all[0]?.['break_glass'], all[1]?.['code']], [person.by, true, 'same_person']);
    assert.deepEqual(all[3]?.['scope'], { node_type: 'web' });
  });

  it('writes the whole text of a caller that the gate knows by a short one', async () => {
    const { auditor, lines } = await open();
    const long = `spiffe://example.com/${'x'.repeat(100)}`;
    auditor.heard(long);
    tell(auditor, { ...ASK, by: callerRef(long) }, ADMITTED);
    assert.equal((await lines())[0]?.['caller'], long);
  });

  it('writes refused callers, and of a flood only that it was one', async () => {
    const { auditor, lines } = await open();
    for (let n = 0; n < 500; n += 1) auditor.refused({ caller: 'anonymous', remote: '10.0.0.1', reason: 'no rule' });
    const all = await lines();
    assert.deepEqual(all.at(-1)?.['callers'], 500 - (all.length - 1));
    assert.ok(all.length < 100, `${all.length} lines`);
    assert.deepEqual([all[0]?.['kind'], all[0]?.['remote']], ['caller_refused', '10.0.0.1']);
  });

  it('lets decisions go on when the disk is full, and warns', async () => {
    const { auditor, file } = await open();
    await unlink(file);
    await symlink('/dev/full', file);
    assert.equal(auditor.answered(ASK, ADMITTED), null);
    await eventually(() => auditor.warnings().length > 0, { what: 'a warning' });
    assert.equal(auditor.forbids(ASK), null);
    await auditor.close();
  });

  it('required: gives no decision out before its line is on disk, and asks for none while the disk is full', async () => {
    const { auditor, file } = await open(true);
    await auditor.answered(ASK, ADMITTED);
    assert.match(await readFile(file, 'utf8'), /"request":"req-1"/);
    await unlink(file);
    await symlink('/dev/full', file);
    await assert.rejects(auditor.answered(ASK, ADMITTED) ?? Promise.resolve(), /ENOSPC/);
    assert.match(auditor.forbids(ASK) ?? '', /ENOSPC.*required = true/);
    const pause = { op: 'pause', id: 'x', at: 0, sc: { k: 'all' }, by: 'bob', why: 'stop' } as const;
    assert.equal(auditor.forbids(pause), null, 'a pause always goes through');
    await auditor.close();
  });
});
