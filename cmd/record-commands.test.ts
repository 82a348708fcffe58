/** `fettle decisions`, `fettle why` and `fettle audit verify`, as people type them. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { openAuditStream } from '../coordinator/audit/audit-stream.ts';
import { temporaryDirectory } from '../test/support/processes.ts';
import type { ApiDecisionRecord, ApiStory } from '../workflows/api.ts';
import { runCommandLine } from './command-line.ts';
import { scriptedCoordinator, testIo } from './testing.ts';

const REFUSED: ApiDecisionRecord = {
  at: '2026-11-21T11:58:00Z',
  decision: 'refused',
  workflow: 'restart-service',
  target: 'web-1',
  node: 'web-1',
  request: 'req-2',
  caller: 'spiffe://example.com/trigger-daemon/main',
  source: 'prometheus.main/web-wedged',
  episode: 'e1',
  plan: 'p1',
  execution: null,
  code: 'limits',
  limits: [
    { constraint: 'maxExecution', scope: 'target', name: null, limit: 1, current: 1, retry_after_s: 600 },
    {
      constraint: 'maxUnavailable',
      scope: 'node_type',
      name: 'floor',
      limit: 5,
      current: 2,
      retry_after_s: null,
      percent: true,
    },
  ],
  dry_run: false,
};
const ADMITTED: ApiDecisionRecord = {
  ...REFUSED,
  at: '2026-11-21T11:56:00Z',
  decision: 'admitted',
  request: 'req-1',
  execution: 'restart-service:web-1:1-7',
  code: null,
};
const page = (decisions: ApiDecisionRecord[], next: string | null = null, reaches: string | null = null) => ({
  status: 200,
  body: { decisions, reaches_back_to: reaches, next },
});

describe('fettle decisions', () => {
  it('lists decisions with what stood in the way in few words, within the width of the terminal', async () => {
    await using coordinator = await scriptedCoordinator({ 'GET /v1/decisions': page([REFUSED, ADMITTED]) });
    const { code, out } = await coordinator.fettle(['decisions']);
    assert.equal(code, 0);
    assert.equal(
      out,
      [
        'TIME              DECISION  WORKFLOW         TARGET  WHY',
        '11:58:00Z 2m ago  refused   restart-service  web-1   maxExecution per target 1/1; maxUnavailable per node_type (floor) 2/5%',
        '11:56:00Z 4m ago  admitted  restart-service  web-1   restart-service:web-1:1-7',
        '',
      ].join('\n'),
    );
    const narrow = await coordinator.fettle(['decisions'], testIo({ columns: 60, env: { NO_COLOR: '1' } }));
    assert.ok(
      narrow.out.split('\n').every((line) => line.length <= 60),
      narrow.out,
    );
  });

  it('asks for what was wanted, and says that there is more and how far back the record reaches', async () => {
    await using coordinator = await scriptedCoordinator({
      'GET /v1/decisions': page(
        Array.from({ length: 50 }, () => REFUSED),
        'cursor',
        '2026-11-20T12:00:00Z',
      ),
    });
    const words = ['decisions', '--refused', '--node', 'web-1', '--workflow', 'restart-service', '--since', '1h'];
    const { err } = await coordinator.fettle(words);
    assert.equal(coordinator.asked.length, 1);
    assert.equal(
      coordinator.asked[0]?.path,
      '/v1/decisions?workflow=restart-service&node=web-1&refused=true&since=2026-11-21T11%3A00%3A00.000Z&limit=50',
    );
    assert.match(err, /fettle decisions --all/);
    assert.match(err, /reaches back to 2026-11-20 12:00:00Z/);
  });

  it('gets the whole record with --all, page by page', async () => {
    await using coordinator = await scriptedCoordinator({
      'GET /v1/decisions': [page([REFUSED], 'c1'), page([], 'c2'), page([ADMITTED])],
    });
    const { out } = await coordinator.fettle(['decisions', '--all', '-o', 'json']);
    const { decisions }: { decisions: ApiDecisionRecord[] } = JSON.parse(out);
    assert.deepEqual(
      decisions.map(({ request }) => request),
      ['req-2', 'req-1'],
    );
    assert.deepEqual(
      coordinator.asked.map((one) => new URL(one.path, 'http://x').searchParams.get('before')),
      [null, 'c1', 'c2'],
    );
  });
});

const STORY: ApiStory = {
  request: 'req-2',
  workflow: 'restart-service',
  target: 'web-1',
  caller: 'spiffe://example.com/person/ann',
  decision: 'refused',
  execution: null,
  outcome: null,
  lines: [
    {
      at: '2026-11-21T11:58:00Z',
      event: 'asked',
      message: 'spiffe://example.com/person/ann asked for restart-service on web-1',
    },
    { at: '2026-11-21T11:58:00Z', event: 'refused', message: 'refused: maxExecution per target: 1 of 1\u001b[2J' },
  ],
  in_the_way: [
    {
      constraint: 'maxExecution',
      scope: 'target',
      name: null,
      of: 'web-1',
      limit: 1,
      current: 1,
      free: 0,
      retry_after_s: 480,
      holders: ['restart-service:web-1:1-7'],
      starts: [],
    },
  ],
};

describe('fettle why', () => {
  it('tells the story in sentences, and what is in the way now', async () => {
    await using coordinator = await scriptedCoordinator({
      'GET /v1/why': { status: 200, body: { stories: [STORY], reaches_back_to: null } },
    });
    const { code, out } = await coordinator.fettle(['why', 'req-2']);
    assert.equal(code, 0);
    assert.equal(
      out,
      [
        'restart-service on web-1: refused',
        '  11:58:00Z  spiffe://example.com/person/ann asked for restart-service on web-1.',
        '  11:58:00Z  Refused: maxExecution per target: 1 of 1\\x1b[2J.',
        '  In its way now:',
        '    maxExecution per target web-1: 1 of 1, held by restart-service:web-1:1-7, free in 480 s at the earliest',
        '',
      ].join('\n'),
    );
  });

  it('knows requests from executions and from what waits, and takes one thing at a time', async () => {
    await using coordinator = await scriptedCoordinator({
      'GET /v1/why': { status: 200, body: { stories: [STORY], reaches_back_to: null } },
    });
    for (const id of [
      'req-2',
      'restart-service:web-1:1-7',
      '1-7',
      'pending:abc',
      'c0ffee00-1111-2222-3333-444455556666',
    ])
      await coordinator.fettle(['why', id]);
    await coordinator.fettle(['why', '--alert', 'WebDown']);
    assert.deepEqual(
      coordinator.asked.map(({ path: asked }) => [...new URL(asked, 'http://x').searchParams.keys()].join()),
      ['request', 'execution', 'request', 'execution', 'request', 'alert'],
    );
    assert.equal((await coordinator.fettle(['why'])).code, 2);
    assert.equal((await coordinator.fettle(['why', 'x', '--node', 'web-1'])).code, 2);
  });
});

describe('fettle audit verify', () => {
  const written = async (directory: string): Promise<string> => {
    const file = path.join(directory, 'audit.jsonl');
    const log = { info: () => undefined, error: () => undefined };
    const stream = await openAuditStream({
      file,
      headFile: path.join(directory, 'head'),
      maxBytes: null,
      writer: {},
      log,
    });
    await stream.write({ kind: 'decision', request: 'one' });
    await stream.write({ kind: 'decision', request: 'two' });
    await stream.close();
    return file;
  };
  const fettle = async (...words: string[]): Promise<{ code: number; out: string; err: string }> => {
    const io = testIo();
    const code = await runCommandLine(['audit', 'verify', ...words], io);
    return { code, out: io.out(), err: io.err() };
  };

  it('says that a chain is whole, and where it ends', async () => {
    await using directory = await temporaryDirectory();
    const file = await written(directory.path);
    const { code, out } = await fettle(file);
    assert.equal(code, 0);
    assert.match(out, /^3 lines in one file, number 1 .* to 3 .*\nwhole; ends at --head 3:[\w-]{43}\n$/);
    const head = /--head (\S+)/.exec(out)?.[1] ?? '';
    assert.equal((await fettle(file, '--head', head)).code, 0);
    await writeFile(file, (await readFile(file, 'utf8')).split('\n').slice(0, 2).join('\n') + '\n');
    assert.equal((await fettle(file)).code, 0, 'a file alone cannot tell');
    assert.equal((await fettle(file, '--head', head)).code, 1);
  });

  it('names the first line that is broken, as text and as JSON', async () => {
    await using directory = await temporaryDirectory();
    const file = await written(directory.path);
    await writeFile(file, (await readFile(file, 'utf8')).replace('"two"', '"2wo"'));
    const { code, out } = await fettle(file);
    assert.equal(code, 1);
    assert.match(out, /BROKEN {2}.*audit\.jsonl:3: its text is not what its hash was made of/);
    const verdict: { whole: boolean; broken: { line: number; code: string } } = JSON.parse(
      (await fettle(file, '--json')).out,
    );
    assert.deepEqual([verdict.whole, verdict.broken.line, verdict.broken.code], [false, 3, 'changed']);
  });

  it('says what is wrong with a file that is not there and a head that is none', async () => {
    assert.match((await fettle('/nonexistent/audit.jsonl')).err, /cannot read: .*\/nonexistent/);
    await using directory = await temporaryDirectory();
    assert.equal((await fettle(await written(directory.path), '--head', 'x')).code, 2);
  });
});
