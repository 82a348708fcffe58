import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import temporalProto from '@temporalio/proto';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { AgentConfig } from '../config/agent.ts';
import type { CommandDefinition } from '../config/commands.ts';
import { openSvidSource } from '../identity/svid-source.ts';
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
import { eventually } from '../test/support/processes.ts';
import { startTemporal, type TemporalServer } from '../test/support/temporal.ts';
import type { ReceiptClaims } from '../workflows/contract.ts';
import { startAgent } from './agent.ts';
import { readProcess } from './procfs.ts';
import { installTemporalRuntime } from './temporal-runtime.ts';

const { temporal: temporalApi } = temporalProto;
const log = pino({ level: process.env['FETTLE_TEST_LOG'] ?? 'silent' });
let temporal: TemporalServer;
let bench: AgentBench;
let sender: OrderSender;

before(async () => {
  installTemporalRuntime(log);
  [temporal, bench] = await Promise.all([startTemporal({ namespaces: [AGENTS_NAMESPACE] }), makeAgentBench()]);
  sender = await openSender(temporal.address);
});
after(async () => {
  await sender[Symbol.asyncDispose]();
  await temporal[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
});

async function running(
  more: Partial<AgentConfig> = {},
  commands: CommandDefinition[] = [],
  place = WEB_1,
  address = temporal.address,
) {
  const config = await bench.config(place, address, more);
  const svid = await openSvidSource(config.identity, { log });
  const metrics = new Registry();
  const agent = await startAgent(config, { svid, commands, log, metrics, version: '1.2.3', graceMs: 500 });
  return {
    agent,
    metrics,
    config,
    async [Symbol.asyncDispose]() {
      await agent.stop();
      await svid[Symbol.asyncDispose]();
    },
  };
}

const place = { file: 'actions.hcl', line: 1, column: 1 };
const command = (name: string, argv: string[], inputs: CommandDefinition['inputs'] = []): CommandDefinition => ({
  place,
  kind: 'program',
  name,
  argv,
  inputs,
  timeoutMs: 60_000,
  environment: {},
  workingDirectory: '/',
  secrets: {},
});
let step = 0;
const fresh = () => ({ step: `step-${(step += 1)}` });

const receiptOf = (jws: string): Promise<ReceiptClaims & { signer: string }> => opened(jws);

describe('an agent on its queues', () => {
  it('answers ping on its own, its type and the general queue, signed with its SVID', async () => {
    await using _ = await running();
    for (const queue of ['dc1/node/web-1', 'dc1/type/web', 'dc1/general']) {
      const receipt = await receiptOf(await sender.act(await bench.order('ping', {}, fresh()), { queue }));
      assert.equal(receipt.result.status, 'done', JSON.stringify(receipt));
      assert.equal(receipt.signer, bench.idOf(WEB_1));
      assert.equal(receipt.iss, receipt.signer);
      assert.equal(receipt.agent_version, '1.2.3');
      const output = receipt.result.status === 'done' && receipt.result.output;
      assert.equal(output && output.facts['boot_id'], readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
    }
  });

  it('shows on each queue under its identity, with one poll', async () => {
    await using _ = await running();
    await receiptOf(await sender.act(await bench.order('ping', {}, fresh())));
    const seen = await eventually(async () => {
      const { pollers } = await sender.client.workflowService.describeTaskQueue({
        namespace: AGENTS_NAMESPACE,
        taskQueue: { name: 'dc1/general' },
        taskQueueType: temporalApi.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
      });
      return pollers?.some(({ identity }) => identity === 'fettle-agent/dc1/web/web-1');
    });
    assert.ok(seen);
  });

  it('runs a defined command and answers its output', async () => {
    const echo = command('echo', ['/bin/echo', 'hello', '{name}'], [{ name: 'name', pattern: '[a-z ]+' }]);
    await using _ = await running({}, [echo]);
    const receipt = await receiptOf(
      await sender.act(await bench.order('exec', { command: 'echo', name: 'big world' }, fresh())),
    );
    assert.deepEqual(receipt.result.status === 'done' && receipt.result.output.tail, 'hello big world\n');
  });

  it('answers a repeated order as it did the first time, without doing it again', async () => {
    const count = join(bench.dir, 'count');
    const program = await script(bench.dir, 'count.sh', `#!/bin/sh\necho x >> ${count}\n`);
    const order = await bench.order('exec', { command: 'count' }, fresh());
    const first = await (async () => {
      await using _ = await running({}, [command('count', [program])]);
      const [a, b] = await Promise.all([sender.act(order), sender.act(order)]);
      assert.deepEqual((await receiptOf(a)).result, (await receiptOf(b)).result);
      return receiptOf(a);
    })();
    await using _ = await running({}, [command('count', [program])]);
    const again = await receiptOf(await sender.act(order));
    assert.deepEqual([again.result, again.from, again.to], [first.result, first.from, first.to]);
    assert.equal(readFileSync(count, 'utf8'), 'x\n');
  });

  it('ends the process group when the order is cancelled, and still answers', async () => {
    const mark = join(bench.dir, 'ready');
    const program = await script(bench.dir, 'sleep.sh', `#!/bin/sh\nsleep 600 &\necho $! > ${mark}\nwait\n`);
    await using _ = await running({}, [command('sleep', [program])]);
    const id = await sender.send(await bench.order('exec', { command: 'sleep' }, fresh()));
    await eventually(() => existsSync(mark) && readFileSync(mark, 'utf8') !== '');
    const handle = sender.client.activity.getHandle<string>(id);
    await handle.cancel('not wanted');
    const receipt = await receiptOf(await handle.result());
    assert.equal(
      receipt.result.status === 'failed' && receipt.result.code,
      'cancelled',
      JSON.stringify(receipt.result),
    );
    assert.equal(readProcess(Number(readFileSync(mark, 'utf8'))), null);
    await rm(mark);
  });

  it('ends running actions when it is stopped, on record', async () => {
    const mark = join(bench.dir, 'ready-to-stop');
    const program = await script(bench.dir, 'stop.sh', `#!/bin/sh\necho > ${mark}\nexec sleep 600\n`);
    const order = await bench.order('exec', { command: 'sleep' }, { step: 'stopped' });
    {
      await using _ = await running({}, [command('sleep', [program])]);
      await sender.send(order);
      await eventually(() => existsSync(mark));
    }
    await using _ = await running();
    const { answer } = await sender.settle(await bench.settle({ step: 'stopped' }));
    assert.equal(answer.state, 'ended');
    assert.equal(answer.state === 'ended' && answer.result.status === 'failed' && answer.result.code, 'cancelled');
  });

  it('settles what never came, and refuses it from then on', async () => {
    await using _ = await running({}, [command('true', ['/bin/true'])]);
    const { answer } = await sender.settle(await bench.settle({ step: 'late', attempt: 2 }));
    assert.deepEqual(answer, { state: 'never_begun' });
    for (const attempt of [1, 2]) {
      const receipt = await receiptOf(
        await sender.act(await bench.order('exec', { command: 'true' }, { step: 'late', attempt })),
      );
      assert.equal(receipt.result.status === 'refused' && receipt.result.code, 'attempt_refused');
    }
    const next = await receiptOf(
      await sender.act(await bench.order('exec', { command: 'true' }, { step: 'late', attempt: 3 })),
    );
    assert.equal(next.result.status, 'done');
  });

  it('claims a step of a shared queue under its own id, and of no other queue', async () => {
    await using _ = await running();
    const claimed = await sender.claim(await bench.claim({ queue: 'dc1/type/web' }), 'dc1/type/web');
    assert.equal(claimed.signer, bench.idOf(WEB_1));
    await assert.rejects(sender.claim(await bench.claim({ queue: 'dc1/type/database' }), 'dc1/type/web'));
  });

  it('refuses while the brake file exists, for good, and works again without it', async () => {
    const brakeFile = join(bench.dir, 'brake');
    await using started = await running({ brakeFile }, [command('true', ['/bin/true'])]);
    await writeFile(brakeFile, '');
    const order = await bench.order('exec', { command: 'true' }, fresh());
    const braked = await receiptOf(await sender.act(order));
    assert.equal(braked.result.status === 'refused' && braked.result.code, 'brake');
    await rm(brakeFile);
    assert.deepEqual((await receiptOf(await sender.act(order))).result, braked.result);
    const next = await receiptOf(await sender.act(await bench.order('exec', { command: 'true' }, fresh())));
    assert.equal(next.result.status, 'done');
    const text = await started.metrics.metrics();
    assert.match(text, /fettle_agent_refusals_total\{code="brake"\} 1/);
    assert.match(text, /fettle_agent_actions_total\{action="exec",result="done"\} 1/);
  });

  it('refuses as busy what finds no free slot in time, while settle is answered at once', async () => {
    const [gate, mark] = [join(bench.dir, 'gate'), join(bench.dir, 'held')];
    const program = await script(
      bench.dir,
      'hold.sh',
      `#!/bin/sh\necho > ${mark}\nwhile [ ! -e ${gate} ]; do sleep 0.05; done\n`,
    );
    await using _ = await running({ maxActions: 1 }, [command('hold', [program])]);
    const held = sender.act(await bench.order('exec', { command: 'hold' }, { step: 'held' }));
    await eventually(() => existsSync(mark));
    assert.deepEqual((await sender.settle(await bench.settle({ step: 'held' }))).answer, {
      state: 'running',
      attempt: 1,
    });
    const late = await receiptOf(
      await sender.act(await bench.order('exec', { command: 'hold' }, { ...fresh(), begin_by: Date.now() + 1500 })),
    );
    assert.equal(late.result.status === 'refused' && late.result.code, 'busy');
    await writeFile(gate, '');
    assert.equal((await receiptOf(await held)).result.status, 'done');
  });

  it('rehearses without touching the host or the ledger', async () => {
    const file = join(bench.dir, 'touched');
    await using _ = await running({}, [command('touch', ['/bin/touch', file])]);
    const one = fresh();
    const order = await bench.order('exec', { command: 'touch' }, { ...one, dry_run: true });
    const receipt = await receiptOf(await sender.act(order));
    assert.match((receipt.result.status === 'done' && receipt.result.output.tail) || '', /would run \["\/bin\/touch"/);
    assert.equal(existsSync(file), false);
    assert.deepEqual((await sender.settle(await bench.settle(one))).answer, { state: 'never_begun' });
  });
});
