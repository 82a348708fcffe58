/**
 * The shipped example of a workflow in TypeScript: looks before it acts. Restarts a unit only when the host itself says that it is not
 * active, and waits for it to be active again. Its inputs, limits and proof stand in remedies/restart-if-down.hcl, a file without steps.
 */
import { sleep } from '@temporalio/workflow';
import type { ExecutionInput, ExecutionResult } from './contract.ts';
import { RemedyEnded, runExecution, type Remedy } from './execution.ts';

export function restartIfDown(input: ExecutionInput): Promise<ExecutionResult> {
  const unit = String(input.plan.args['unit']);
  return runExecution(input, async (remedy) => {
    if (await isActive(remedy, unit, 'look')) throw new RemedyEnded('no_fault', `${unit} is active on the host itself`);
    await remedy.step({ name: 'restart', action: 'systemd.restart', args: { unit }, timeoutMs: 120_000 });
    for (let look = 1; look <= 5; look += 1) {
      if (input.dryRun || (await isActive(remedy, unit, `check-${look}`))) return;
      await sleep('2s');
    }
    throw new RemedyEnded('ineffective', `${unit} did not become active`);
  });
}

async function isActive(remedy: Remedy, unit: string, name: string): Promise<boolean> {
  const record = await remedy.step({ name, action: 'systemd.status', args: { unit }, timeoutMs: 10_000 });
  return record.result.status === 'done' && record.result.output.facts['active_state'] === 'active';
}
