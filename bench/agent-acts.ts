/** What an action costs beyond a bare activity and a bare spawn: grant, allow-list, ledger on disk, receipt. */
import { spawn } from 'node:child_process';
import { createPrivateKey, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import { CompactSign } from 'jose';
import { digest, openSender, opened } from '../test/support/agent-bench.ts';
import { COORDINATOR_ID, TRUST_DOMAIN, type Site } from '../test/support/site.ts';
import {
  type ActionOrder,
  agentSpiffePath,
  type ArgValue,
  GRANT_TYPE,
  type GrantClaims,
  nodeQueue,
  PROTOCOL,
} from '../workflows/contract.ts';
import { type PackagedAgents, PLACE } from './agent-processes.ts';
import type { Table } from './bench-run.ts';
import { hundredths, median, percentiles } from './percentiles.ts';

export type Acts = {
  readonly overheadMs: number;
  readonly changesPerS: number;
  readonly looksPerS: number;
  readonly table: Table;
};

const LOOKS_AT_ONCE = 20;
const CHANGES_AT_ONCE = 4;

export async function measureActs(site: Site, packaged: PackagedAgents, samples: number): Promise<Acts> {
  const { agent } = await packaged.start(PLACE.node);
  const key = createPrivateKey(await readFile(site.pki.grantKeys.privateKey, 'utf8'));
  await using sender = await openSender(site.temporal.address);
  const queue = nodeQueue(PLACE.datacenter, PLACE.node);
  const act = async (action: string, args: Record<string, ArgValue>): Promise<void> => {
    const { result } = await opened(await sender.act(await order(key, action, args), { queue }));
    if (result.status !== 'done') throw new Error(`${action} was not done: ${JSON.stringify(result)}`);
  };
  const look = (): Promise<void> => act('ping', {});
  const change = (): Promise<void> => act('exec', { command: 'nothing' });
  const bare = await bareActivity(site.temporal.address);
  const times: Record<'spawn' | 'bare' | 'look' | 'change', number[]> = { spawn: [], bare: [], look: [], change: [] };
  for (let turn = 0; turn < samples; turn += 1) {
    times.spawn.push(await timed(bareSpawn));
    times.bare.push(await timed(bare.run));
    times.look.push(await timed(look));
    times.change.push(await timed(change));
  }
  const looksPerS = await rate(look, LOOKS_AT_ONCE, samples * 3);
  const changesPerS = await rate(change, CHANGES_AT_ONCE, samples);
  await bare.close();
  await agent.stop();
  const overheadMs = hundredths(median(times.change) - median(times.bare) - median(times.spawn));
  const row = (name: string, one: readonly number[]) => [name, percentiles(one).p50, percentiles(one).p95];
  const table = {
    title: `One after the other, ${samples} of each in turns, milliseconds from sending to the answer:`,
    header: ['', 'p50', 'p95'],
    rows: [
      row('bare spawn of /usr/bin/true', times.spawn),
      row('bare activity that does nothing', times.bare),
      row('Fettle agent: a look (ping)', times.look),
      row('Fettle agent: a change (exec of /usr/bin/true)', times.change),
    ],
  };
  return { overheadMs, changesPerS, looksPerS, table };
}

async function order(
  key: ReturnType<typeof createPrivateKey>,
  action: string,
  args: Record<string, ArgValue>,
): Promise<ActionOrder> {
  const claims: GrantClaims = {
    iss: COORDINATOR_ID,
    sub: `spiffe://${TRUST_DOMAIN}${agentSpiffePath(PLACE)}`,
    jti: randomUUID(),
    iat: Math.floor(Date.now() / 1000),
    machine_id: null,
    execution: `bench:${PLACE.node}:${randomUUID()}`,
    step: 'bench',
    attempt: 1,
    action,
    args_digest: digest(args),
    plan: 'plan',
    begin_by: Date.now() + 15_000,
    timeout_ms: 30_000,
    dry_run: false,
    supersedes: null,
  };
  const grant = await new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'Ed25519', typ: GRANT_TYPE })
    .sign(key);
  return { protocol: PROTOCOL, grant, args };
}

/** By the bare Worker of bare-worker.ts, started by the caller. */
async function bareActivity(address: string): Promise<{ run: () => Promise<void>; close: () => Promise<void> }> {
  const connection = await Connection.connect({ address });
  const { activity } = new Client({ connection });
  const options = { taskQueue: 'bare/activities', args: [], startToCloseTimeout: '60s' } as const;
  return {
    run: async () => void (await activity.execute<number>('begin', { ...options, id: randomUUID() })),
    close: () => connection.close(),
  };
}

const bareSpawn = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn('/usr/bin/true', { stdio: 'ignore' });
    child.once('error', reject);
    child.once('exit', () => resolve());
  });

async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function rate(work: () => Promise<void>, atOnce: number, count: number): Promise<number> {
  const began = performance.now();
  let left = count;
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await work();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  return Math.round((1000 * count) / (performance.now() - began));
}
