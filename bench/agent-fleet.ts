/** Many agents at one development server: do all their queues get polled, and what does that cost the server. */
import os from 'node:os';
import { readFile } from 'node:fs/promises';
import { eventually, type RunningProcess } from '../test/support/processes.ts';
import type { Site } from '../test/support/site.ts';
import type { PackagedAgents } from './agent-processes.ts';
import type { Table } from './bench-run.ts';
import { hundredths, median } from './percentiles.ts';
import { cpuNanoseconds, memoryOf } from './process-cost.ts';

export type FleetCost = { readonly json: Readonly<Record<string, number>>; readonly table: Table };

/** What an agent may take of memory that others do not share, with room; as many are started as fit into two thirds of what is free. */
const AGENT_MB = 45;
const AT_ONCE = 4;
const SETTLE_MS = 20_000;

export async function measureFleet(
  site: Site,
  packaged: PackagedAgents,
  wanted: readonly string[],
  { watchMs, say }: { watchMs: number; say: (line: string) => void },
): Promise<FleetCost> {
  const nodes = wanted.slice(0, await fitting());
  if (nodes.length < wanted.length) say(`memory is there for ${nodes.length} of ${wanted.length}`);
  const began = performance.now();
  const agents: RunningProcess[] = [];
  try {
    for (let next = 0; next < nodes.length; next += AT_ONCE) {
      const started = nodes.slice(next, next + AT_ONCE).map((node) => packaged.start(node));
      for (const { agent } of await Promise.all(started)) agents.push(agent);
    }
    const allMs = performance.now() - began;
    say('all poll; watching');
    await new Promise((done) => setTimeout(done, Math.min(SETTLE_MS, watchMs)));
    const cost = await watched(site, agents, watchMs);
    const polled = await pollingWithin(packaged, nodes);
    return report({ ...cost, agents: nodes.length, queues: polled, seconds: allMs / 1000 });
  } finally {
    await Promise.all(agents.map((agent) => agent.stop()));
  }
}

async function fitting(): Promise<number> {
  const free = /^MemAvailable:\s+(\d+) kB/m.exec(await readFile('/proc/meminfo', 'utf8'))?.[1];
  const mb = free === undefined ? os.freemem() / 2 ** 20 : Number(free) / 1024;
  return Math.floor((mb * 2) / 3 / AGENT_MB);
}

async function watched(site: Site, agents: readonly RunningProcess[], watchMs: number) {
  const server = site.temporal.process().pid;
  const all = async (): Promise<number> =>
    (await Promise.all(agents.map(({ pid }) => cpuNanoseconds(pid)))).reduce((sum, one) => sum + one, 0);
  const [serverBefore, agentsBefore, from] = [await cpuNanoseconds(server), await all(), performance.now()];
  await new Promise((done) => setTimeout(done, watchMs));
  const [serverAfter, agentsAfter] = [await cpuNanoseconds(server), await all()];
  const percent = (ns: number): number => hundredths(ns / 1e4 / (performance.now() - from));
  const memory = await Promise.all(agents.map(({ pid }) => memoryOf(pid)));
  return {
    serverCpu: percent(serverAfter - serverBefore),
    agentsCpu: percent(agentsAfter - agentsBefore),
    serverMb: (await memoryOf(server)).rssMb,
    rssMb: median(memory.map(({ rssMb }) => rssMb)),
    privateMb: median(memory.map(({ privateMb }) => privateMb)),
  };
}

/** A poll lasts a minute at most, so within a little more each queue is polled anew. */
async function pollingWithin(packaged: PackagedAgents, nodes: readonly string[]): Promise<number> {
  const since = Date.now() - 75_000;
  const missing = async (): Promise<boolean> =>
    (await Promise.all(nodes.map((node) => packaged.polls(node, since)))).every(Boolean);
  await eventually(missing, { what: 'every queue of every agent to be polled', timeoutMs: 60_000, everyMs: 2_000 });
  return nodes.length + 2;
}

type Cost = Awaited<ReturnType<typeof watched>> & { agents: number; queues: number; seconds: number };

function report(cost: Cost): FleetCost {
  const json = {
    agents: cost.agents,
    queues_polled: cost.queues,
    polls_open: cost.agents * 3,
    server_cpu_percent: cost.serverCpu,
    server_rss_mb: cost.serverMb,
    agents_cpu_percent: cost.agentsCpu,
    agent_rss_mb: cost.rssMb,
    agent_private_mb: cost.privateMb,
    started_in_s: hundredths(cost.seconds),
  };
  const table = {
    title: `${cost.agents} agents at one development server, idle:`,
    header: ['', ''],
    rows: [
      ['queues polled, each of them', cost.queues],
      ['polls open', json.polls_open],
      ['server: CPU, % of one core', json.server_cpu_percent],
      ['server: RSS, MB', json.server_rss_mb],
      ['agents together: CPU, % of one core', json.agents_cpu_percent],
      ['one agent: RSS, MB (median)', json.agent_rss_mb],
      ['one agent: private, MB (median)', json.agent_private_mb],
      [`all started, ${AT_ONCE} at a time, after s`, json.started_in_s],
    ],
  };
  return { json, table };
}
