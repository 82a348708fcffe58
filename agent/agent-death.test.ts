import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { AgentConfig } from '../config/agent.ts';
import type { CommandDefinition } from '../config/commands.ts';
import {
  type AgentBench,
  AGENTS_NAMESPACE,
  makeAgentBench,
  opened,
  openSender,
  type OrderSender,
  script,
  WEB_1,
} from '../test/support/agent-bench.ts';
import { eventually, freePort, type RunningProcess, startProcess } from '../test/support/processes.ts';
import { startTemporal, type TemporalServer } from '../test/support/temporal.ts';
import type { SettlementClaims } from '../workflows/contract.ts';
import { readProcess } from './procfs.ts';

let temporal: TemporalServer;
let bench: AgentBench;
let sender: OrderSender;

before(async () => {
  [temporal, bench] = await Promise.all([
    freePort().then((port) => startTemporal({ port, namespaces: [AGENTS_NAMESPACE] })),
    makeAgentBench(),
  ]);
  sender = await openSender(temporal.address);
});
after(async () => {
  await sender[Symbol.asyncDispose]();
  await temporal[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
});

const ENTRY = fileURLToPath(new URL('../test/support/agent-process.ts', import.meta.url));
let runs = 0;

async function agentProcess(
  commands: Record<string, string>,
  more: Partial<AgentConfig> = {},
): Promise<RunningProcess> {
  const config = await bench.config(WEB_1, temporal.address, more);
  const file = join(bench.dir, `agent-${(runs += 1)}.json`);
  const place = { file: 'actions.hcl', line: 1, column: 1 };
  const definition = ([name, program]: [string, string]): CommandDefinition => ({
    place,
    kind: 'program',
    name,
    argv: [program],
    inputs: [],
    timeoutMs: 60_000,
    environment: {},
    workingDirectory: '/',
    secrets: {},
  });
  await writeFile(file, JSON.stringify({ config, commands: Object.entries(commands).map(definition) }));
  const agent = startProcess([process.execPath, ENTRY, file], { name: 'agent' });
  await agent.waitForLine(/^connected$/);
  return agent;
}

const settled = async (step: string, attempt = 1): Promise<SettlementClaims['answer']> =>
  (await sender.settle(await bench.settle({ step, attempt }))).answer;

describe('an agent killed with SIGKILL', () => {
  it('before its action: the next one does it, once', async () => {
    const count = join(bench.dir, 'before');
    const program = await script(bench.dir, 'before.sh', `#!/bin/sh\necho x >> ${count}\n`);
    const killed = await agentProcess({ run: program });
    await killed.kill();
    const order = await bench.order('exec', { command: 'run' }, { step: 'before' });
    const later = sender.act(order);
    await using _ = await agentProcess({ run: program });
    assert.equal((await opened(await later)).result.status, 'done');
    assert.equal(readFileSync(count, 'utf8'), 'x\n');
    assert.equal((await settled('before')).state, 'ended');
  });

  it('during its action: the next one watches over what runs, says so, and never runs it twice', async () => {
    const pids = join(bench.dir, 'pids');
    const gate = join(bench.dir, 'gate');
    const program = await script(
      bench.dir,
      'during.sh',
      `#!/bin/sh\necho $$ >> ${pids}\nwhile [ ! -e ${gate} ]; do sleep 0.05; done\n`,
    );
    const killed = await agentProcess({ run: program });
    const order = await bench.order('exec', { command: 'run' }, { step: 'during' });
    await sender.send(order);
    await eventually(() => existsSync(pids));
    await killed.kill();
    await using _ = await agentProcess({ run: program });
    assert.deepEqual(await settled('during'), { state: 'running', attempt: 1 });
    const next = await bench.order('exec', { command: 'run' }, { step: 'during', attempt: 2 });
    const refused = await opened(await sender.act(next));
    assert.equal(refused.result.status === 'refused' && refused.result.code, 'attempt_unsettled');
    const again = sender.act(order);
    await writeFile(gate, '');
    const ended = await opened(await again);
    assert.equal(ended.result.status, 'unknown', JSON.stringify(ended.result));
    const answer = await settled('during');
    assert.deepEqual(answer.state === 'ended' && [answer.attempt, answer.result.status], [1, 'unknown']);
    assert.equal(readFileSync(pids, 'utf8').trim().split('\n').length, 1);
  });

  it('during an action that outlasts its time: the next one ends its whole group', async () => {
    const pids = join(bench.dir, 'overdue');
    const program = await script(bench.dir, 'overdue.sh', `#!/bin/sh\nsleep 600 &\necho $$ $! >> ${pids}\nwait\n`);
    const killed = await agentProcess({ run: program });
    await sender.send(await bench.order('exec', { command: 'run' }, { step: 'overdue', timeout_ms: 3000 }));
    await eventually(() => existsSync(pids) && readFileSync(pids, 'utf8') !== '');
    await killed.kill();
    await using _ = await agentProcess({ run: program });
    await eventually(async () => (await settled('overdue')).state === 'ended');
    for (const pid of readFileSync(pids, 'utf8').trim().split(' ')) assert.equal(readProcess(Number(pid)), null);
  });

  it('after its action: the next one gives the same answer again', async () => {
    const count = join(bench.dir, 'after');
    const program = await script(bench.dir, 'after.sh', `#!/bin/sh\necho x >> ${count}\nexit 3\n`);
    const killed = await agentProcess({ run: program });
    const order = await bench.order('exec', { command: 'run' }, { step: 'after' });
    const first = await opened(await sender.act(order));
    await killed.kill();
    await using _ = await agentProcess({ run: program });
    const again = await opened(await sender.act(order));
    assert.deepEqual([again.result, again.from, again.to], [first.result, first.from, first.to]);
    assert.equal(first.result.status === 'failed' && first.result.output.exitCode, 3);
    assert.equal(readFileSync(count, 'utf8'), 'x\n');
  });
});

describe('Temporal away', () => {
  it('or there without the namespace of agents: the agent says so once, and works when it is made', async () => {
    await using server = await startTemporal();
    const config = await bench.config(WEB_1, server.address);
    const file = join(bench.dir, 'no-namespace.json');
    await writeFile(
      file,
      JSON.stringify({ config: { ...config, stateDir: join(bench.dir, 'no-namespace') }, commands: [] }),
    );
    await using agent = startProcess([process.execPath, ENTRY, file], { name: 'agent' });
    await agent.waitForLine('Temporal is away');
    await using own = await openSender(server.address);
    await own.client.workflowService.registerNamespace({
      namespace: AGENTS_NAMESPACE,
      workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
    });
    await agent.waitForLine(/^connected$/, { timeoutMs: 60_000 });
    const order = await bench.order('ping', {}, { step: 'made' });
    // Parts of the server go on for a while not knowing the namespace.
    const receipt = await opened(
      await eventually(() => own.act(order, { scheduleToStartMs: 5000 }), { timeoutMs: 60_000 }),
    );
    assert.equal(receipt.result.status, 'done');
    assert.equal(agent.output().split('Temporal is away').length - 1, 1);
  });

  it('at the start, and again later: the agent takes orders whenever it is there', async () => {
    const port = await freePort();
    const db = join(bench.dir, 'temporal.db');
    const config = await bench.config(WEB_1, `127.0.0.1:${port}`);
    const file = join(bench.dir, 'away.json');
    await writeFile(file, JSON.stringify({ config: { ...config, stateDir: join(bench.dir, 'away') }, commands: [] }));
    await using agent = startProcess([process.execPath, ENTRY, file], { name: 'agent' });
    await agent.waitForLine('Temporal is away');
    await using server = await startTemporal({ port, dbFile: db, namespaces: [AGENTS_NAMESPACE] });
    await agent.waitForLine(/^connected$/);
    for (const step of ['first', 'second']) {
      await using own = await openSender(server.address);
      const receipt = await opened(await own.act(await bench.order('ping', {}, { step })));
      assert.equal(receipt.result.status, 'done');
      if (step === 'first') await server.restart();
    }
    assert.equal(agent.output().split('Temporal is away').length - 1, 1, 'said once for one absence');
  });
});
