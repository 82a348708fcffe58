import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { type AgentBench, makeAgentBench, script, WEB_1 } from '../../test/support/agent-bench.ts';
import { type HelperSocket, listenForHelper } from '../../test/support/helper-socket.ts';
import { eventually } from '../../test/support/processes.ts';
import type { ActionOrder } from '../../workflows/contract.ts';
import { createActionSlots } from '../action-slots.ts';
import type { LookSetting } from '../perform.ts';
import { createHelperDoer } from './doer.ts';
import { createHelperClient, type FinalAnswer, HelperError } from './client.ts';

/** The program itself, one process for each connection, on a host without systemd; test/agent-host.test.ts has one with. */
const PROGRAM = [process.execPath, fileURLToPath(new URL('../../cmd/main.ts', import.meta.url))];
let bench: AgentBench;
let socketPath: string;
let count: string;
let gate: string;
let runs = 0;

before(async () => {
  bench = await makeAgentBench();
  const { dir, pki } = bench;
  socketPath = join(dir, 'helper.sock');
  count = join(dir, 'count');
  gate = join(dir, 'gate');
  const config = await bench.config(WEB_1, '127.0.0.1:1');
  const once = await script(dir, 'count.sh', `#!/bin/sh\necho x >> ${count}\n`);
  const hold = await script(
    dir,
    'hold.sh',
    `#!/bin/sh\necho $$ >> ${count}\nwhile [ ! -e ${gate} ]; do sleep 0.05; done\necho held\n`,
  );
  const actions = join(dir, 'actions.d');
  await mkdir(actions);
  await writeFile(
    join(actions, 'commands.hcl'),
    `command "count" {\n  argv = ["${once}"]\n}\ncommand "hold" {\n  argv = ["${hold}"]\n}\n`,
  );
  await writeFile(
    join(dir, 'agent.hcl'),
    `state_dir = "${dir}/agent"
actions_dir = "${actions}"
brake_file = "${dir}/stop"
identity {
  certificate = "${config.identity.certificate}"
  key = "${config.identity.key}"
  bundle = "${config.identity.bundle}"
}
temporal { address = "127.0.0.1:1" }
coordinator {
  issuer = "${bench.issuer}"
  grant_keys = ["${pki.grantKeys.publicKey}"]
}
helper {
  socket = "${socketPath}"
  state_dir = "${dir}/helper"
}
allow "*" {}
`,
  );
});
after(() => bench[Symbol.asyncDispose]());

const listen = (): Promise<HelperSocket> =>
  listenForHelper(socketPath, [...PROGRAM, 'agent-helper', '--config', join(bench.dir, 'agent.hcl')]);
const client = () => createHelperClient(socketPath);
const soon = () => ({ beginBy: Date.now() + 15_000, until: Date.now() + 25_000 });
const ask = (order: ActionOrder, signal?: AbortSignal): Promise<FinalAnswer> =>
  client().ask({ ask: 'perform', order, now: Date.now(), busy: null }, { ...soon(), ...(signal && { signal }) });
const fresh = () => ({ step: `step-${(runs += 1)}` });
const resultOf = (answer: FinalAnswer) => {
  assert.ok('performed' in answer && answer.performed !== null, JSON.stringify(answer));
  return answer.performed.result;
};
const lines = (): number => (existsSync(count) ? readFileSync(count, 'utf8').trim().split('\n').length : 0);
const settled = async (step: string) => {
  const order = await bench.settle({ step });
  const answer = await client().ask({ ask: 'settle', order, now: Date.now() }, soon());
  assert.ok('settled' in answer, JSON.stringify(answer));
  return answer.settled;
};

describe('the helper', () => {
  it('does a signed order once, and tells its result to whoever asks again', async () => {
    await using socket = await listen();
    const order = await bench.order('exec', { command: 'count' }, fresh());
    const first = resultOf(await ask(order));
    assert.equal(first.status, 'done', JSON.stringify(first) + socket.log());
    assert.deepEqual(resultOf(await ask(order)), first);
    assert.equal(lines(), 1);
  });

  it('does nothing that no coordinator signed, or that was signed for another node', async () => {
    await using _ = await listen();
    const before = lines();
    const forged = await bench.order('exec', { command: 'count' }, fresh());
    const cases: [ActionOrder, string][] = [
      [{ ...forged, grant: `${forged.grant.slice(0, -8)}AAAAAAAA` }, 'grant_signature'],
      [{ ...forged, args: { command: 'hold' } }, 'grant_args_differ'],
      [
        await bench.order('exec', { command: 'count' }, { ...fresh(), sub: bench.idOf({ ...WEB_1, node: 'web-2' }) }),
        'grant_other_node',
      ],
    ];
    for (const [order, code] of cases) {
      const result = resultOf(await ask(order));
      assert.equal(result.status === 'refused' && result.code, code);
    }
    assert.equal(lines(), before);
  });

  it('rehearses an order, and leaves no trace of it', async () => {
    await using _ = await listen();
    const before = lines();
    const step = fresh();
    const result = resultOf(await ask(await bench.order('exec', { command: 'count' }, { ...step, dry_run: true })));
    assert.match((result.status === 'done' && result.output.tail) || '', /would run/);
    assert.equal((await settled(step.step)).state, 'never_begun');
    assert.equal(lines(), before);
  });

  it('killed while an action is at work: the action goes on, and its end is told by the next one', async () => {
    await using socket = await listen();
    const before = lines();
    const step = fresh();
    const order = await bench.order('exec', { command: 'hold' }, step);
    const answer = ask(order);
    await eventually(() => lines() === before + 1);
    const [helper] = socket.running();
    helper?.kill('SIGKILL');
    await eventually(() => socket.started() >= 2);
    assert.deepEqual(await settled(step.step), { state: 'running', attempt: 1 });
    await writeFile(gate, '');
    const result = resultOf(await answer);
    assert.deepEqual(result.status === 'done' && result.output.tail, 'held\n', JSON.stringify(result));
    const end = await settled(step.step);
    assert.deepEqual(end.state === 'ended' && end.result, result);
    assert.equal(lines(), before + 1);
  });
});

describe('an agent without its helper', () => {
  it('refuses what it could never hand over, once it is too late to begin', async () => {
    const look = { slots: createActionSlots(1) } as unknown as LookSetting;
    const config = { socket: join(bench.dir, 'nobody.sock'), stateDir: bench.dir, spiffeId: null };
    const doer = createHelperDoer(config, look, pino({ level: 'silent' }), Date.now() - 60_000);
    const claims = bench.claims({ action: 'exec', begin_by: Date.now() + 500, ...fresh() });
    const order = await bench.order('exec', { command: 'count' });
    const opened = { claims, order, now: Date.now, check: () => undefined };
    const { result } = await doer.perform(opened, new AbortController().signal);
    assert.equal(result.status === 'refused' && result.code, 'helper_unavailable');
    await assert.rejects(
      doer.perform(opened, new AbortController().signal),
      HelperError,
      'it may have been handed over before',
    );
    await doer.stop();
  });
});

describe('an agent whose helper cannot be reached by one delivery of an order', () => {
  const look = () => ({ slots: createActionSlots(4) }) as unknown as LookSetting;
  const silent = pino({ level: 'silent' });
  const opened = async (beginInMs: number) => {
    const order = await bench.order('exec', { command: 'count' });
    const claims = bench.claims({ action: 'exec', begin_by: Date.now() + beginInMs, ...fresh() });
    return { claims, order, now: Date.now, check: () => undefined };
  };

  it('says nothing of an order that another delivery handed over', async () => {
    const path = join(bench.dir, 'once.sock');
    const doer = createHelperDoer({ socket: path, stateDir: bench.dir, spiffeId: null }, look(), silent, 0);
    const order = await opened(2500);
    const taken = Promise.withResolvers<void>();
    const server = createServer(() => taken.resolve()).listen(path);
    const first = doer.perform(order, new AbortController().signal).catch((error: unknown) => error);
    await taken.promise;
    server.close();
    await rm(path, { force: true });
    await assert.rejects(doer.perform(order, new AbortController().signal), HelperError);
    await doer.stop();
    assert.ok((await first) instanceof HelperError);
  });

  it('says nothing of an order that was signed before it was started itself', async () => {
    const config = { socket: join(bench.dir, 'nobody.sock'), stateDir: bench.dir, spiffeId: null };
    const doer = createHelperDoer(config, look(), silent, Date.now());
    await assert.rejects(doer.perform(await opened(400), new AbortController().signal), HelperError);
    await doer.stop();
  });
});

describe('a client of the helper', () => {
  it('says when nothing was sent', async () => {
    const asking = createHelperClient(join(bench.dir, 'nobody.sock')).ask(
      { ask: 'recall', grant: 'x' },
      { beginBy: Date.now(), until: Date.now() },
    );
    await assert.rejects(asking, (error: unknown) => error instanceof HelperError && error.unsent);
  });
});
