import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProcess } from '../test/support/processes.ts';

const BENCH = fileURLToPath(new URL('bench.ts', import.meta.url));
const bench = (...args: string[]) => runProcess([process.execPath, BENCH, ...args], { timeoutMs: 120_000 });

test('the bench of the path ends with one JSON document of what it measured', async () => {
  const { code, stdout, stderr } = await bench('path', '--quick', '--json');
  assert.equal(code, 0, stderr);
  const { path, machine } = JSON.parse(stdout.split('\n').at(-1) ?? '');
  const rates = ['samples', 'ratio_p50', 'in_flight', 'bare_per_s', 'fettle_per_s', 'ratio_throughput', 'cores_busy'];
  const sides = ['bare', 'fettle', 'fettle_change'];
  const times = sides.flatMap((side) => ['p50', 'p95', 'p99'].map((p) => `${side}_${p}_ms`));
  for (const name of [...rates, ...times])
    assert.ok(Number.isFinite(path[name]) && path[name] > 0, `${name}: ${path[name]}`);
  assert.match(path.bottleneck, /\w+: \d+% of all CPU time/);
  for (const part of ['temporal server', 'coordinator', 'agents']) assert.ok(part in path.cpu_ms_per_remedy, part);
  assert.equal(machine.node, process.version);
});

test('the bench says what it can measure, and refuses what it cannot', async () => {
  const help = await bench('--help');
  assert.equal(help.code, 0);
  for (const name of ['path', 'agent-idle', 'reducer']) assert.ok(help.stdout.includes(name), name);
  const wrong = await bench('speed');
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /name one bench: path, agent-idle, reducer/);
});
