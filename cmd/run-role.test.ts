import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, type Loaded } from '../config/load.ts';
import type { Problem } from '../config/problem.ts';
import { CommandError } from './exit-code.ts';
import { type Role, runRole } from './run-role.ts';
import { testIo, type TestIo } from './testing.ts';

type Config = { readonly metrics: boolean };
const FLAGS = { config: ['role.hcl'], logLevel: 'debug' };
const PROBLEM: Problem = {
  place: { file: 'role.hcl', line: 3, column: 5 },
  path: 'server_config',
  severity: 'error',
  message: 'is wrong; write it right',
};
const good: Loaded<Config> = { config: { metrics: false }, problems: [], files: ['role.hcl'] };
const roleOf = (start: Role<Config>['start'], loaded: Loaded<Config> = good): Role<Config> => ({
  name: 'agent',
  load: () => Promise.resolve(loaded),
  metricsListen: ({ metrics }) => (metrics ? { host: '127.0.0.1', port: 0 } : null),
  start,
});
const lines = (io: TestIo): { level: string; message: string; [key: string]: unknown }[] =>
  io
    .out()
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

test('a signal stops what was started, last first, each part by name in the log', async () => {
  const io = testIo();
  const order: string[] = [];
  const code = await runRole(
    io,
    FLAGS,
    roleOf(async (_config, { undo }) => {
      undo.add('first', () => void order.push('first'));
      undo.add('second', async () => void order.push('second'));
      setImmediate(io.abort);
    }),
  );
  assert.equal(code, 0);
  assert.deepEqual(order, ['second', 'first']);
  const stopped = lines(io)
    .filter(({ message }) => message === 'stopped')
    .map(({ part }) => part);
  assert.deepEqual(stopped.slice(0, 2), ['second', 'first']);
  assert.ok(lines(io).every((line) => line['role'] === 'agent' && typeof line['time'] === 'string'));
});

test('an invalid configuration prints every problem, starts nothing and exits 3', async () => {
  const io = testIo();
  const role = roleOf(() => assert.fail('it was started'), { config: null, problems: [PROBLEM, PROBLEM], files: [] });
  await assert.rejects(
    runRole(io, FLAGS, role),
    (error) => error instanceof CommandError && error.exit === 3 && error.next === 'fettle validate role.hcl',
  );
  assert.equal(io.err(), 'role.hcl:3:5: server_config: is wrong; write it right\n'.repeat(2));
});

test('a warning is logged and keeps nothing from starting', async () => {
  const io = testIo();
  const role = roleOf(async () => void setImmediate(io.abort), {
    ...good,
    problems: [{ ...PROBLEM, severity: 'warning' }],
  });
  assert.equal(await runRole(io, FLAGS, role), 0);
  assert.ok(lines(io).some(({ level, message }) => level === 'warn' && message.includes('role.hcl:3:5')));
});

test('a start that fails half-way undoes what it had started and says what to type', async () => {
  const io = testIo();
  const order: string[] = [];
  const role = roleOf(async (_config, { undo }) => {
    undo.add('first', () => void order.push('first'));
    throw new Error('no port');
  });
  await assert.rejects(
    runRole(io, FLAGS, role),
    (error) =>
      error instanceof CommandError &&
      error.exit === 1 &&
      /agent cannot start: no port/.test(error.message) &&
      error.next === 'fettle doctor --config role.hcl',
  );
  assert.deepEqual(order, ['first']);
});

test('bad rules found at start are an invalid configuration, not a crash', async () => {
  const io = testIo();
  const role = roleOf(() => Promise.reject(new ConfigError([PROBLEM])));
  await assert.rejects(runRole(io, FLAGS, role), (error) => error instanceof CommandError && error.exit === 3);
  assert.match(io.err(), /role\.hcl:3:5/);
});

test('a part that does not stop in time is named, and the process ends all the same', async () => {
  const io = testIo();
  const role = roleOf(async (_config, { undo }) => {
    undo.add('stuck part', () => new Promise(() => {}));
    setImmediate(io.abort);
  });
  assert.equal(await runRole(io, FLAGS, role, 50), 1);
  assert.ok(lines(io).some(({ level, part }) => level === 'error' && part === 'stuck part'));
});

test('a part that fails to stop does not keep the others running', async () => {
  const io = testIo();
  const order: string[] = [];
  const role = roleOf(async (_config, { undo }) => {
    undo.add('first', () => void order.push('first'));
    undo.add('broken', () => {
      throw new Error('broken');
    });
    setImmediate(io.abort);
  });
  assert.equal(await runRole(io, FLAGS, role), 1);
  assert.deepEqual(order, ['first']);
});

test('a signal during a start that hangs ends the role', async () => {
  const io = testIo();
  setImmediate(io.abort);
  assert.equal(
    await runRole(
      io,
      FLAGS,
      roleOf(() => new Promise(() => {})),
    ),
    0,
  );
});

test('SIGHUP reloads, one reload after the other, and one more for all that came meanwhile', async () => {
  const io = testIo();
  let running = 0;
  let most = 0;
  let reloads = 0;
  const role = roleOf(async (_config, { reload }) => {
    reload(async () => {
      reloads += 1;
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      if (reloads === 2) setImmediate(io.abort);
      if (reloads === 1) throw new Error('bad file');
    });
    io.hangup();
    io.hangup();
    io.hangup();
  });
  assert.equal(await runRole(io, FLAGS, role), 0);
  assert.deepEqual([reloads, most], [2, 1]);
  assert.ok(lines(io).some(({ message }) => message.startsWith('reload failed')));
});

test('metrics are served where configured: GET /metrics and /healthz and nothing else', async () => {
  const io = testIo();
  const answers: Record<string, number> = {};
  let text = '';
  const role = roleOf(
    async () => {
      const address = lines(io).find(({ message }) => message === 'metrics are served')?.['address'] as string;
      for (const path of ['/metrics', '/healthz', '/', '/metrics/x']) {
        const response = await fetch(address + path);
        answers[path] = response.status;
        const body = await response.text();
        if (path === '/metrics') text = body;
      }
      answers['POST'] = (await fetch(`${address}/metrics`, { method: 'POST', body: 'x' })).status;
      io.abort();
    },
    { ...good, config: { metrics: true } },
  );
  assert.equal(await runRole(io, FLAGS, role), 0);
  assert.deepEqual(answers, { '/metrics': 200, '/healthz': 200, '/': 404, '/metrics/x': 404, POST: 405 });
  assert.match(text, /process_resident_memory_bytes/);
});

test('a metrics address that is taken is said with its name', async () => {
  const io = testIo();
  const role = { ...roleOf(async () => {}), metricsListen: () => ({ host: '203.0.113.1', port: 1 }) };
  await assert.rejects(runRole(io, FLAGS, role), /cannot serve metrics on 203\.0\.113\.1:1 \(EADDRNOTAVAIL\)/);
});
