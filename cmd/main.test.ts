import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXECUTION, scriptedCoordinator } from './testing.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

type Started = {
  child: ChildProcessByStdio<null, Readable, Readable>;
  ended: Promise<{ code: number | null; out: string; err: string }>;
};

function fettle(...words: string[]): Started {
  const child = spawn(process.execPath, [MAIN, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: '/nonexistent' },
  });
  const text = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => (text.out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text.err += chunk.toString()));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...text }));
  return { child, ended };
}

test('the program prints its version and sets its exit code', async () => {
  const [version, wrong] = await Promise.all([fettle('--version').ended, fettle('nonsense').ended]);
  assert.deepEqual([version.code, version.err], [0, '']);
  assert.match(version.out, /^\d+\.\d+\.\d+\n$/);
  assert.deepEqual([wrong.code, wrong.out], [2, '']);
});

test('a command for people loads neither Temporal nor the parser of configuration', async () => {
  await using coordinator = await scriptedCoordinator({ 'GET /v1/executions': { status: 200, body: [] } });
  const loaded = `process.on('exit', () => console.error(Object.keys(process.getBuiltinModule('module')._cache).join('\\n')))`;
  const child = spawn(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(loaded)}`, MAIN, 'ps', '--coordinator', coordinator.url],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const [code] = await once(child, 'close');
  assert.equal(code, 0, err);
  assert.doesNotMatch(err, /@temporalio|node-forge/);
});

test('a reader that goes away ends the program quietly', async () => {
  const many = Array.from({ length: 5000 }, (_, i) => ({ ...EXECUTION, id: `${EXECUTION.id}${i}` }));
  await using coordinator = await scriptedCoordinator({ 'GET /v1/executions': { status: 200, body: many } });
  const { child, ended } = fettle('ps', '-o', 'jsonl', '--coordinator', coordinator.url);
  child.stdout.once('data', () => child.stdout.destroy());
  const { code, err } = await ended;
  assert.equal(code, 0);
  assert.doesNotMatch(err, /EPIPE/);
});

test('one SIGINT ends a command that waits, with 130', async () => {
  const asked = Promise.withResolvers<void>();
  await using coordinator = await scriptedCoordinator({
    'GET /v1/executions/1-7/events': (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n');
      asked.resolve();
    },
  });
  const { child, ended } = fettle('watch', '1-7', '--coordinator', coordinator.url);
  await asked.promise;
  child.kill('SIGINT');
  const { code, err } = await ended;
  assert.equal(code, 130);
  assert.match(err, /interrupted/);
});

test('validate exits 3 with file, line and column, and 0 with a file that may be used', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fettle-validate-'));
  try {
    const [bad, good] = [join(folder, 'bad.hcl'), join(folder, 'inventory.hcl')];
    await writeFile(bad, 'server_config {\n  enable_tls = GET\n}\n');
    await writeFile(good, 'node "web-1" {\n  type = "web"\n  datacenter = "dc1"\n}\n');
    const [wrong, right] = await Promise.all([
      fettle('validate', bad, '-o', 'json').ended,
      fettle('validate', good).ended,
    ]);
    assert.equal(wrong.code, 3, wrong.err);
    const document = JSON.parse(wrong.out);
    assert.deepEqual(
      [document.api_version, document.valid, document.problems[0].line, document.problems[0].column],
      [1, false, 2, 16],
    );
    assert.deepEqual([right.code, right.out], [0, ''], right.err);
  } finally {
    await rm(folder, { recursive: true });
  }
});
