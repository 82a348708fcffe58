/** What most do without a gate: count what runs by Visibility, and start when there is room. Nobody works on what is started. */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';

export type CheckThenStart = { readonly started: number; readonly perSecond: number };

/** `requests` in all, `atOnce` of them under way, for a limit of `limit` running. */
export async function checkThenStart(
  client: Client,
  { requests, atOnce, limit }: { readonly requests: number; readonly atOnce: number; readonly limit: number },
): Promise<CheckThenStart> {
  const type = `unguarded-${randomUUID().slice(0, 8)}`;
  const query = `WorkflowType = '${type}' AND ExecutionStatus = 'Running'`;
  let [asked, started] = [0, 0];
  const caller = async (): Promise<void> => {
    while (asked < requests) {
      asked += 1;
      const { count } = await client.workflow.count(query);
      if (count >= limit) continue;
      started += 1;
      await client.workflow.start(type, { workflowId: `${type}:${randomUUID()}`, taskQueue: 'nobody', args: [] });
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: atOnce }, caller));
  return { started, perSecond: Math.round((requests * 1000) / (performance.now() - began)) };
}
