/** The demo is the main job: it must go through, end by itself, and tell only what happened. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { it } from 'node:test';
import { runProcess } from './support/processes.ts';
import type { DemoReport } from './demo/run-demo.ts';

it('the demo heals a real fault, holds the limit, denies the stranger and runs twenty equal requests once', async () => {
  const demo = path.join(import.meta.dirname, 'demo', 'demo.ts');
  const { code, stdout, stderr } = await runProcess([process.execPath, demo, '--json'], { timeoutMs: 180_000 });
  const last = stdout.trim().split('\n').at(-1) ?? '';
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  const report = JSON.parse(last) as Required<DemoReport>;
  assert.equal(report.ok, true);
  assert.equal(report.healed.outcome, 'healed');
  assert.match(report.healed.execution, /^restart-web:web-1:1-[0-9a-z]+$/);
  for (const name of ['fault_to_request_ms', 'request_to_action_ms', 'action_to_healed_ms'] as const) {
    assert.ok(report.healed[name] > 0, `${name}: ${report.healed[name]}`);
  }
  assert.equal(report.refused.decision, 'refused');
  assert.deepEqual(
    report.refused.reasons.map(({ constraint, limit, current }) => ({ constraint, limit, current })),
    [{ constraint: 'maxExecution', limit: 1, current: 1 }],
  );
  assert.deepEqual(report.denied, { status: 403 });
  assert.deepEqual(report.duplicates, { asked: 20, executions: 1 });
  for (const told of ['fault', 'admitted', 'permitted', 'began', 'verified', 'refused', 'denied']) {
    assert.ok(stdout.includes(told), `the timeline lacks ${told}`);
  }
});
