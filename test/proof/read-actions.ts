/** Receipts that hosts signed, from the agents' namespace: whether or not the coordinator that waited for one lived to see it. */
import type { Client } from '@temporalio/client';
import { decodeJwt } from 'jose';
import { AGENT_ACTIVITIES, type ReceiptClaims } from '../../workflows/contract.ts';
import { mapSome } from './history.ts';
import type { ActionFact } from './record.ts';

const AT_ONCE = 4;

/**
 * Signatures are not checked here: coordinators do, and say so as an alarm. What a forger could add is an interval that never was, which
 * shows as a finding and hides none.
 */
export async function readActions(agents: Client, since: number): Promise<ActionFact[]> {
  const ids: { id: string; run: string }[] = [];
  for await (const one of agents.activity.list(`ActivityType = "${AGENT_ACTIVITIES.action}"`)) {
    if (one.closeTime === undefined || one.closeTime.getTime() >= since)
      ids.push({ id: one.activityId, run: one.activityRunId });
  }
  const read = await mapSome(ids, AT_ONCE, async ({ id, run }) => {
    const described = await agents.activity.getHandle(id, run).describe({ includeOutcome: true });
    if (described.status !== 'COMPLETED') return [];
    const receipt: unknown = await described.getResult();
    return typeof receipt === 'string' ? [factOf(id, decodeJwt<ReceiptClaims>(receipt))] : [];
  });
  return read.flat();
}

const factOf = (activity: string, claims: ReceiptClaims): ActionFact => {
  const { execution, step, attempt, nonce, from, to, result } = claims;
  return { activity, execution, step, attempt, nonce, began: from, ended: to, status: result.status };
};
