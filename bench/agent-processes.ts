import path from 'node:path';
import type { Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { eventually, startProcess, type RunningProcess } from '../test/support/processes.ts';
import type { Site } from '../test/support/site.ts';
import { agentIdentity, agentQueues, type NodePlace } from '../workflows/contract.ts';

export const PLACE: NodePlace = { datacenter: 'dc1', nodeType: 'web', node: 'bench-1' };
const ACTIVITY = proto.temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY;

export type PackagedAgents = {
  readonly launch: (node: string) => RunningProcess;
  /** Starts one and waits until it polls all its queues; in milliseconds from the start of the process. */
  readonly start: (node: string) => Promise<{ agent: RunningProcess; ms: number }>;
  /** Whether it has polled all its queues since then. */
  readonly polls: (node: string, sinceMs: number) => Promise<boolean>;
};

/** Agents of a site, run as a server runs them: from the package, by its launcher. */
export function packagedAgents(site: Site, home: string, connection: Connection): PackagedAgents {
  const env = { PATH: `${path.dirname(process.execPath)}:${process.env['PATH'] ?? ''}` };
  const launch = (node: string): RunningProcess =>
    startProcess([path.join(home, 'fettle'), 'agent', '--config', site.configFile(`agent-${node}`)], {
      name: `agent ${node}`,
      env,
    });
  const polls = async (node: string, sinceMs: number): Promise<boolean> => {
    const place = { ...PLACE, node };
    const asked = Object.values(agentQueues(place)).map(async (name) => {
      const { pollers } = await connection.workflowService.describeTaskQueue({
        namespace: 'fettle-agents',
        taskQueue: { name },
        taskQueueType: ACTIVITY,
      });
      return (pollers ?? []).some(
        ({ identity, lastAccessTime }) =>
          identity === agentIdentity(place) &&
          Number(lastAccessTime?.seconds ?? 0) * 1000 + (lastAccessTime?.nanos ?? 0) / 1e6 >= sinceMs,
      );
    });
    return (await Promise.all(asked)).every(Boolean);
  };
  return {
    launch,
    polls,
    async start(node) {
      const [spawned, began] = [Date.now(), performance.now()];
      const agent = launch(node);
      const ready = () => polls(node, spawned);
      await eventually(ready, { what: 'the agent to poll its queues', everyMs: 5, timeoutMs: 60_000 });
      return { agent, ms: Math.round(performance.now() - began) };
    },
  };
}
