/** Two minutes and a half, its start included, of everything going wrong: no limit exceeded, no action doubled, no request lost. Longer: `npm run drill`. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { FAULTS } from './drill/fault-plan.ts';
import { runDrill } from './drill/run-drill.ts';

it('a fleet under load that is killed, stopped, cut and lied to keeps its limits, and loses no request', async (test) => {
  const say = (line: string): void => test.diagnostic(line);
  const { result } = await runDrill({ seed: 4, minutes: 1.9, kinds: FAULTS, log: null, say });
  const { findings, over_admissions, doubled_actions, lost, admitted, executions, kills } = result;
  assert.deepEqual(findings, []);
  assert.deepEqual({ over_admissions, doubled_actions, lost }, { over_admissions: 0, doubled_actions: 0, lost: 0 });
  assert.ok(admitted > 0 && executions > 0, JSON.stringify(result));
  assert.ok(Object.keys(kills).length > FAULTS.length / 2, JSON.stringify(kills));
});
