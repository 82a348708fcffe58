/**
 * What the packaged agent costs its host: idle and connected, at its start, for each action; beside a bare Worker of the SDK, an empty
 * Node process and another agent that Debian has. Then many agents at one server.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Connection } from '@temporalio/client';
import { buildPackage } from '../packaging/build.ts';
import { startProcess, type RunningProcess } from '../test/support/processes.ts';
import { makeSite } from '../test/support/site.ts';
import { type Acts, measureActs } from './agent-acts.ts';
import { type FleetCost, measureFleet } from './agent-fleet.ts';
import { type Idle, watchIdle } from './agent-idle.ts';
import { type PackagedAgents, packagedAgents, PLACE } from './agent-processes.ts';
import type { Bench } from './bench-run.ts';
import { hundredths, median } from './percentiles.ts';
import { startPuppet } from './puppet-peer.ts';

const WORKER = fileURLToPath(new URL('bare-worker.ts', import.meta.url));
const MINUTES = 4;
const FLEET = 200;

export const agentBench: Bench = async ({ quick, say, minutes, agents }) => {
  const idleMs = minutes === null ? (quick ? 10_000 : MINUTES * 60_000) : minutes * 60_000;
  const many = agents ?? (quick ? 4 : FLEET);
  await using stack = new AsyncDisposableStack();
  say('building the package');
  const names = Array.from({ length: many }, (_, index) => `fleet-${index + 1}`);
  const nodes = [PLACE.node, ...names].map((name) => ({ name, type: PLACE.nodeType }));
  const actions = 'command "nothing" {\n  argv    = ["/usr/bin/true"]\n  timeout = "20s"\n}\n';
  const site = stack.use(await makeSite({ nodes, workflows: {}, actions }));
  const home = path.join(site.dir, 'package');
  await buildPackage(home);
  await site.setUp();
  const connection = await Connection.connect({ address: site.temporal.address });
  stack.defer(() => connection.close());
  const packaged = packagedAgents(site, home, connection);
  const worker = stack.use(startProcess([process.execPath, WORKER, site.temporal.address], { name: 'bare worker' }));
  await worker.waitForLine('polls', { timeoutMs: 60_000 });
  say('starting the agent, several times');
  const starts = await startTimes(packaged, quick ? 2 : 7);
  say('sending it orders');
  const acts = await measureActs(site, packaged, quick ? 20 : 200);
  const idle = await idleSideBySide(stack, packaged, worker, idleMs, say);
  await worker.stop();
  say(`starting ${many} agents`);
  const fleet = await measureFleet(site, packaged, names, { watchMs: quick ? 5_000 : 60_000, say });
  return report({ idle, idleMs, starts, acts, fleet });
};

async function startTimes(packaged: PackagedAgents, turns: number): Promise<number[]> {
  const starts: number[] = [];
  for (let turn = 0; turn < turns; turn += 1) {
    const { agent, ms } = await packaged.start(PLACE.node);
    starts.push(ms);
    await agent.stop();
  }
  return starts;
}

type Side = Record<'agent' | 'empty' | 'worker', Idle> & { readonly puppet: Idle | null };

async function idleSideBySide(
  stack: AsyncDisposableStack,
  packaged: PackagedAgents,
  worker: RunningProcess,
  idleMs: number,
  say: (line: string) => void,
): Promise<Side> {
  const { agent } = await packaged.start(PLACE.node);
  const empty = stack.use(startProcess([process.execPath, '-e', 'setInterval(() => {}, 2 ** 30)'], { name: 'empty' }));
  const puppet = await startPuppet(stack);
  say(`all idle for ${Math.round(idleMs / 1000)} s`);
  const peer = puppet === null ? null : watchIdle({ puppet }, idleMs);
  const watched = await watchIdle({ agent, empty, worker }, idleMs);
  const idlePeer = await peer;
  for (const one of [agent, empty, puppet]) await one?.stop();
  return { ...watched, puppet: idlePeer?.puppet ?? null };
}

type Measured = {
  readonly idle: Side;
  readonly idleMs: number;
  readonly starts: readonly number[];
  readonly acts: Acts;
  readonly fleet: FleetCost;
};

function report({ idle, idleMs, starts, acts, fleet }: Measured) {
  const startMs = median(starts);
  const fields = (prefix: string, one: Idle | null): Record<string, number> =>
    one === null
      ? {}
      : {
          [`${prefix}rss_mb`]: one.rssMb,
          [`${prefix}private_mb`]: one.privateMb,
          [`${prefix}cpu_percent`]: one.cpuPercent,
        };
  const agent = {
    ...fields('', idle.agent),
    ready_ms: startMs,
    action_overhead_ms: acts.overheadMs,
    actions_per_s: acts.changesPerS,
    looks_per_s: acts.looksPerS,
    idle_s: Math.round(idleMs / 1000),
    starts: starts.length,
    ...fields('bare_worker_', idle.worker),
    ...fields('bare_node_', idle.empty),
    ...fields('puppet_', idle.puppet),
    ratio_rss: hundredths(idle.agent.rssMb / idle.worker.rssMb),
  };
  const row = (name: string, one: Idle | null) =>
    one === null ? [] : [[name, one.rssMb, one.privateMb, one.cpuPercent]];
  const tables = [
    {
      title: `Idle for ${Math.round(idleMs / 1000)} s:`,
      header: ['', 'RSS, MB', 'private, MB', 'CPU, % of one core'],
      rows: [
        ...row('Fettle agent: three queues', idle.agent),
        ...row('bare Worker of the SDK: one queue, no files read, nothing checked', idle.worker),
        ...row('puppet agent, without a catalog', idle.puppet),
        ...row('empty Node process', idle.empty),
      ],
    },
    {
      title: 'Start of the process → all three queues are polled, milliseconds:',
      header: ['', 'median', 'least', 'most'],
      rows: [[`agent, ${starts.length} starts`, startMs, Math.min(...starts), Math.max(...starts)]],
    },
    acts.table,
    fleet.table,
  ];
  const notes = idle.puppet === null ? ['no puppet here to compare with: apt-get install puppet-agent'] : [];
  return { name: 'agent', json: agent, others: { fleet: fleet.json }, tables, notes };
}
