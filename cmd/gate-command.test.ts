/** Taking a gate back into service, on a real server. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { it } from 'node:test';
import { pino } from 'pino';
import { verifyAudit } from '../coordinator/audit/verify.ts';
import { GateClient } from '../coordinator/gate/gate-client.ts';
import { keepGate } from '../coordinator/gate/gate-keeper.ts';
import { openKnownLease } from '../coordinator/gate/known-lease.ts';
import { setupTemporal } from '../coordinator/setup-temporal.ts';
import { openTemporal } from '../coordinator/temporal.ts';
import { temporaryDirectory } from '../test/support/processes.ts';
import { startGateWorkers } from '../test/support/gate-workers.ts';
import { startTemporal } from '../test/support/temporal.ts';
import { gateWorkflowId } from '../workflows/contract.ts';
import { runCommandLine } from './command-line.ts';
import { EXIT } from './exit-code.ts';
import { testIo } from './testing.ts';

const log = pino({ level: 'silent' });

it('adopts a quarantined gate above every lease seen, frees an orphan, and makes an ended gate anew only when told', async () => {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startTemporal());
  const { path: directory } = stack.use(await temporaryDirectory());
  const stateDir = path.join(directory, 'state');
  await mkdir(stateDir);
  await writeFile(path.join(stateDir, 'gate-main.json'), '[7,12]');
  const file = path.join(directory, 'coordinator.hcl');
  await writeFile(
    file,
    `state_dir = ${JSON.stringify(stateDir)}\ngrant_key = "grant.key"\ntemporal {\n  address = "${server.address}"\n}\n` +
      'identity {\n  certificate = "a.pem"\n  key = "a.key"\n  bundle = "b.pem"\n}\nserver_config {\n  enable_tls = true\n}\n' +
      `audit {\n  file = ${JSON.stringify(path.join(directory, 'audit.jsonl'))}\n}\n`,
  );
  const config = {
    address: server.address,
    namespace: 'fettle',
    agentsNamespace: 'fettle-agents',
    apiKeyFile: null,
    tls: null,
  };
  await setupTemporal({ ...config, domain: 'main', retentionDays: 1 });
  const workers = await startGateWorkers(config);
  stack.defer(() => workers.stop());
  const temporal = await openTemporal(config, 'test');
  stack.defer(() => temporal.close());
  const known = await openKnownLease(stateDir, 'main', log);
  const gate = new GateClient({ temporal, domain: 'main', name: 'c1', known, log });
  const fettle = async (...words: string[]): Promise<{ exit: number; out: string; err: string }> => {
    const io = testIo();
    const exit = await runCommandLine([...words, '--config', file], io);
    return { exit, out: io.out(), err: io.err() };
  };
  const announce = (): Promise<unknown> =>
    gate.submit({
      op: 'definitions',
      id: `d${Date.now()}`,
      at: Date.now(),
      w: 'restart',
      d: 'd',
      lim: [],
      ch: true,
      by: 'c1',
    });

  await assert.rejects(announce(), /lost decisions/);
  const adopted = await fettle('gate', 'adopt', '--reason', 'looked');
  assert.equal(adopted.exit, EXIT.ok, adopted.err);
  assert.match(adopted.out, /decides again, in epoch 8/);
  await announce();
  const admitted = await gate.submit({
    op: 'ask',
    id: 'ask',
    at: Date.now(),
    w: 'restart',
    d: 'd',
    t: { k: 'n', n: 'web-1', y: 'web', c: 'dc1' },
    p: 'plan',
    eu: Date.now() + 60_000,
  });
  assert.deepEqual(admitted.a === 'admitted' && admitted.l, [8, 1]);
  const permit = {
    op: 'permit',
    id: 'p',
    at: Date.now(),
    l: [8, 1],
    p: 'plan',
    s: 'go',
    a: 1,
    n: 'web-1',
    busy: 1_000,
  } as const;
  await gate.submit(permit);
  assert.equal((await fettle('lease', 'free', '8-1', '--reason', 'too early')).exit, EXIT.refused);
  await gate.submit({ op: 'release', id: 'r', at: Date.now(), l: [8, 1], o: 'failed' });
  assert.match((await fettle('gate', 'leases')).out, /restart:web-1:8-1\s+orphaned.*go#1@web-1/);
  assert.equal((await fettle('lease', 'free', '8-1', '--reason', 'the host is gone')).exit, EXIT.ok);
  assert.equal((await gate.leases()).length, 0);
  assert.equal((await fettle('gate', 'adopt', '--reason', 'again')).exit, EXIT.refused);

  await temporal.control.workflow.getHandle(gateWorkflowId('main')).terminate('test');
  const ended = await fettle('gate', 'adopt', '--reason', 'terminated');
  assert.equal(ended.exit, EXIT.refused);
  assert.match(ended.err, /--anew/);
  const anew = await fettle('gate', 'adopt', '--anew', '--reason', 'terminated');
  assert.equal(anew.exit, EXIT.ok, anew.err);
  assert.match(anew.out, /in epoch 9/);
  await announce();
  const keeper = keepGate({ temporal, domain: 'main', log });
  const looking = setInterval(keeper.look, 10);
  stack.defer(() => clearInterval(looking));
  const replaced = await fettle('gate', 'adopt', '--anew', '--reason', 'it was reset');
  assert.equal((await gate.summary()).folds, 0);
  assert.match(replaced.out, /was ended[^]*in epoch \d+/, replaced.err);
  await announce();

  const audited = path.join(directory, 'audit.jsonl.commands');
  assert.equal((await verifyAudit([audited])).whole, true);
  const kinds = (await readFile(audited, 'utf8')).match(/"kind":"(lease_freed|gate_adopted)"/g);
  assert.deepEqual(kinds, [
    '"kind":"gate_adopted"',
    '"kind":"lease_freed"',
    '"kind":"gate_adopted"',
    '"kind":"gate_adopted"',
  ]);
});
