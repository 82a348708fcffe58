import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProcess } from '../test/support/processes.ts';

const BENCH = fileURLToPath(new URL('bench.ts', import.meta.url));
const bench = (...args: string[]) => runProcess([process.execPath, BENCH, ...args], { timeoutMs: 300_000 });

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

test('the bench of the gate counts over-admissions from the record, its own and those of a check by Visibility', async () => {
  const { code, stdout, stderr } = await bench('gate', '--quick', '--json');
  assert.equal(code, 0, stderr);
  const { gate } = JSON.parse(stdout.split('\n').at(-1) ?? '');
  for (const name of ['admissions_per_s', 'single_update_per_s', 'ratio', 'admitted', 'visibility_over_admissions'])
    assert.ok(Number.isFinite(gate[name]) && gate[name] > 0, `${name}: ${gate[name]}`);
  assert.deepEqual([gate.over_admissions, gate.decided_twice, gate.takeover.unanswered], [0, 0, 0]);
  assert.ok(gate.http.decisions_per_s > 0 && gate.http.admissions_per_s > 0, JSON.stringify(gate.http));
});

test('a storm of a thousand alerts is decided whole, and no more are admitted than the floor allows', async () => {
  const { code, stdout, stderr } = await bench('storm', '--json');
  assert.equal(code, 0, stderr);
  const { storm } = JSON.parse(stdout.split('\n').at(-1) ?? '');
  assert.equal(storm.admitted + storm.refused, 1_000);
  assert.deepEqual([storm.limit, storm.over_admissions], [50, 0]);
  assert.equal(storm.admitted_by_record, storm.admitted);
});

test('the bench says what it can measure, and refuses what it cannot', async () => {
  const help = await bench('--help');
  assert.equal(help.code, 0);
  for (const name of ['path', 'agent', 'reducer', 'gate', 'storm']) assert.ok(help.stdout.includes(name), name);
  const wrong = await bench('speed');
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /name one bench: path, agent, reducer, gate, storm/);
});
