/** One request per Update, as a coordinator without group commit would send them; leases are given back hundreds at a time, untimed. */
import type { Client } from '@temporalio/client';
import { gateWorkflowId, PROTOCOL } from '../workflows/contract.ts';
import type { Answer, Batch, BatchAnswer, LeaseRef, Operation } from '../workflows/gate/operations.ts';
import { DOMAIN } from './gate-house.ts';
import { askFor, giveBack, randomNode } from './gate-load.ts';

/** Admissions per second. */
export async function singleUpdates(control: Client, callers: number, windowMs: number): Promise<number> {
  const leases: LeaseRef[] = [];
  const from = performance.now();
  const caller = async (): Promise<void> => {
    while (performance.now() - from < windowMs) {
      const [answer] = await exchange(control, [askFor(randomNode())]);
      if (answer?.a === 'admitted') leases.push(answer.l);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const seconds = (performance.now() - from) / 1000;
  for (let at = 0; at < leases.length;) {
    const answers = await exchange(control, leases.slice(at, at + 400).map(giveBack));
    if (answers.length > 0) at += 400;
  }
  return Math.round(leases.length / seconds);
}

async function exchange(control: Client, ops: Operation[]): Promise<readonly Answer[]> {
  const batch: Batch = { protocol: PROTOCOL, from: 'bench', clock: Date.now(), knows: [0, 0], ops };
  const gate = control.workflow.getHandle(gateWorkflowId(DOMAIN));
  const answer = await gate.executeUpdate<BatchAnswer, [Batch]>('exchange', { args: [batch] });
  // The SDK may have slept so long over it that the gate takes its clock for wrong: then nothing was decided.
  return answer.status === 'ok' ? answer.answers : [];
}
