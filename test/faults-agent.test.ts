/** An agent that dies before, during and after its action, stands still, or was never there. */
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { configOf, loadAgent } from '../config/load.ts';
import { ApiError, type CoordinatorClient } from '../identity/coordinator-client.ts';
import { admitted, allFree, drillRequest, drillStep, startDrillSite, type DrillSite } from './support/drill-site.ts';
import { ended, readMarks } from './support/paths-site.ts';
import { eventually, startProcess } from './support/processes.ts';

const NODES = ['web-1', 'web-2', 'web-3', 'web-4', 'web-5', 'web-6', 'never-there'].map((name) => ({
  name,
  type: 'web',
}));

describe('an agent', () => {
  const stack = new AsyncDisposableStack();
  let drill: DrillSite;
  let client: CoordinatorClient;
  let settling = 0;

  before(async () => {
    const workflows = {
      gated: drillStep('gated', 'retry = { attempts = 3, wait = "100ms" }'),
      quick: drillStep('mark', 'retry = { attempts = 3, wait = "100ms" }', '5s'),
      ghost: `task_queue_target = "node_type:ghost"\n${drillStep('mark')}`,
      single: drillStep('mark', '', '5s'),
      restart: `step "restart" {
  action  = "systemd.restart"
  args    = { unit = "web.service", stable_s = 0 }
  timeout = "20s"
  retry   = { attempts = 2, wait = "100ms" }
}`,
      brief: `step "restart" {
  action  = "systemd.restart"
  args    = { unit = "web.service", stable_s = 0 }
  timeout = "2s"
  retry   = { attempts = 2, wait = "100ms" }
}`,
      reboot: `step "reboot" {
  action  = "node.reboot"
  args    = { force_with_users = true }
  timeout = "5m"
  retry   = { attempts = 2, wait = "100ms" }
}`,
    };
    const onLine = (_: string, line: string): void => {
      if (line.includes('action unanswered: settling')) settling += 1;
    };
    drill = stack.use(await startDrillSite({ nodes: NODES, workflows, onLine }));
    await drill.begin(['web-1', 'web-2', 'web-3'], ['c1']);
    client = await drill.client(drill.site.address);
  });
  after(() => stack.disposeAsync());

  const agent = (node: string) => drill.roles.get(node)!;

  it('that was never there is an answer at once, which names the node or the queue', async () => {
    await assert.rejects(client.request(drillRequest('quick', 'never', 'never-there')), (error) => {
      assert.ok(error instanceof ApiError && error.status === 503 && error.code === 'no_agent');
      assert.match(error.message, /no agent of never-there takes orders/);
      return true;
    });
    await assert.rejects(
      client.request(drillRequest('ghost', 'never')),
      /no agent takes orders on queue dc1\/type\/ghost/,
    );
    assert.deepEqual(await client.listExecutions(), await client.listExecutions({ workflow: 'site-ping' }));
  });

  it('killed or standing still before its action: the order is never begun after its time, by proof', async () => {
    await agent('web-1').kill();
    agent('web-2').signal('SIGSTOP');
    await agent('web-3').stop();
    const [killed, frozen, gone] = await Promise.all([
      admitted(client, drillRequest('single', 'killed', 'web-1')),
      admitted(client, drillRequest('single', 'frozen', 'web-2')),
      admitted(client, drillRequest('single', 'gone', 'web-3')),
    ]);
    await eventually(() => settling >= 3, { what: 'their begin-by to pass', timeoutMs: 60_000 });
    agent('web-2').signal('SIGCONT');
    await drill.startAgent('web-1');
    for (const [id, mark] of [
      [killed, 'killed'],
      [frozen, 'frozen'],
    ] as const) {
      const detail = await ended(client, id);
      assert.equal(detail.outcome, 'expired', detail.message ?? '');
      assert.deepEqual(await drill.marks(mark), []);
    }
    const detail = await ended(client, gone);
    assert.equal(detail.outcome, 'failed');
    assert.match(detail.message ?? '', /no agent took it in time.*stay held/s);
    assert.equal((await client.status()).gate.orphaned, 1, 'without proof its limits stay held');
    await drill.startAgent('web-3');
    await allFree(client);
    for (const mark of ['killed', 'frozen', 'gone']) assert.deepEqual(await drill.marks(mark), []);
  });

  it('killed during an action that may run once: nobody repeats it, a person decides', async () => {
    const id = await admitted(client, drillRequest('gated', 'during'));
    await eventually(async () => (await drill.marks('during')).length > 0, { what: 'the action to begin' });
    await agent('web-1').kill();
    await drill.startAgent('web-1');
    await drill.open('during');
    const detail = await ended(client, id);
    assert.equal(detail.outcome, 'failed', detail.message ?? '');
    assert.deepEqual(
      detail.steps.map((one) => [one.attempt, one.result.status]),
      [[1, 'unknown']],
    );
    assert.deepEqual(await drill.marks('during'), ['begun', 'ended']);
    await allFree(client);
  });

  it('killed after its action, before its answer went out: what its ledger holds is the result', async () => {
    const id = await admitted(client, drillRequest('gated', 'after', 'web-2'));
    await eventually(async () => (await drill.marks('after')).length > 0, { what: 'the action to begin' });
    const ledger = path.join(drill.site.dir, 'state-web-2', 'ledger');
    const results = async (): Promise<number> =>
      (await readdir(ledger)).filter((name) => name.endsWith('.result')).length;
    const before = await results();
    drill.site.temporal.process().signal('SIGSTOP');
    await drill.open('after');
    await eventually(async () => (await results()) > before, { what: 'the end in the ledger' });
    await agent('web-2').kill();
    drill.site.temporal.process().signal('SIGCONT');
    await drill.startAgent('web-2');
    const detail = await ended(client, id);
    assert.equal(detail.outcome, 'healed', detail.message ?? '');
    assert.deepEqual(await drill.marks('after'), ['begun', 'ended']);
    await allFree(client);
  });

  it('killed during an action that is safe to repeat: it is repeated once it is known that the first has ended', async () => {
    const systemctl = path.join(drill.site.dir, 'systemctl');
    const marks = path.join(drill.site.dir, 'systemctl.marks');
    const gate = path.join(drill.site.dir, 'systemctl.open');
    const show = 'echo ActiveState=active';
    const restart = `echo begun >> ${marks}; while [ ! -e ${gate} ]; do sleep 0.05; done; echo ended >> ${marks}`;
    await writeFile(systemctl, `#!/bin/sh\ncase "$*" in show*) ${show};; *) ${restart};; esac\n`, { mode: 0o755 });
    const config = configOf(await loadAgent([drill.site.configFile('agent-web-4')]));
    const file = path.join(drill.site.dir, 'web-4.json');
    await writeFile(file, JSON.stringify({ config, commands: [], programs: { systemctl } }));
    const entry = path.join(import.meta.dirname, 'support/agent-process.ts');
    const start = async () => {
      const started = stack.use(startProcess([process.execPath, entry, file], { name: 'agent web-4' }));
      await started.waitForLine(/^connected$/);
      return started;
    };
    const killed = await start();
    const id = await admitted(client, { workflow: 'restart', target: { node: 'web-4' } });
    await eventually(async () => (await readdir(drill.site.dir)).includes('systemctl.marks'), { what: 'the restart' });
    await killed.kill();
    await start();
    await writeFile(gate, '');
    const detail = await ended(client, id);
    assert.equal(detail.outcome, 'healed', detail.message ?? '');
    assert.deepEqual(
      detail.steps.map((one) => [one.attempt, one.result.status]),
      [
        [1, 'unknown'],
        [2, 'done'],
      ],
    );
    assert.deepEqual(await readMarks(marks), ['begun', 'ended', 'begun', 'ended']);
    await allFree(client);
  });

  it('standing still beyond all its time in an action that is safe to repeat: the next attempt ends the first and takes its place', async () => {
    const systemctl = path.join(drill.site.dir, 'systemctl-slow');
    const marks = path.join(drill.site.dir, 'slow.marks');
    const first = path.join(drill.site.dir, 'slow.first');
    const restart = `echo begun >> ${marks}; if [ ! -e ${first} ]; then touch ${first}; exec sleep 300; fi; echo ended >> ${marks}`;
    await writeFile(systemctl, `#!/bin/sh\ncase "$*" in show*) echo ActiveState=active;; *) ${restart};; esac\n`, {
      mode: 0o755,
    });
    const config = configOf(await loadAgent([drill.site.configFile('agent-web-5')]));
    const file = path.join(drill.site.dir, 'web-5.json');
    await writeFile(file, JSON.stringify({ config, commands: [], programs: { systemctl } }));
    const entry = path.join(import.meta.dirname, 'support/agent-process.ts');
    const frozen = stack.use(startProcess([process.execPath, entry, file], { name: 'agent web-5' }));
    await frozen.waitForLine(/^connected$/);
    const id = await admitted(client, { workflow: 'brief', target: { node: 'web-5' } });
    await eventually(async () => (await readdir(drill.site.dir)).includes('slow.first'), { what: 'the restart' });
    frozen.signal('SIGSTOP');
    const attempts = async (): Promise<number> =>
      (await client.getExecution(id)).timeline.filter((one) => one.event === 'permitted').length;
    await eventually(async () => (await attempts()) > 1, {
      what: 'the second permit',
      timeoutMs: 90_000,
      everyMs: 500,
    });
    frozen.signal('SIGCONT');
    const detail = await ended(client, id);
    assert.equal(detail.outcome, 'healed', detail.message ?? '');
    assert.deepEqual(
      detail.steps.map((one) => [one.attempt, one.result.status]),
      [
        [1, 'unsettled'],
        [2, 'done'],
      ],
    );
    assert.deepEqual(await readMarks(marks), ['begun', 'begun', 'ended']);
    await allFree(client);
  });

  it('gone in a reboot is asked for until it is back, and the boot id proves what was done, once', async () => {
    const place = (name: string): string => path.join(drill.site.dir, name);
    const systemctl = place('systemctl-reboot');
    const state = (text: string): Promise<void> => writeFile(place('system'), `SystemState=${text}\n`);
    const commands = `case "$*" in show*) cat ${place('system')};; *) echo "$@" >> ${place('reboot.marks')};; esac`;
    await writeFile(systemctl, `#!/bin/sh\n${commands}\n`, { mode: 0o755 });
    const config = configOf(await loadAgent([drill.site.configFile('agent-web-6')]));
    const entry = path.join(import.meta.dirname, 'support/agent-process.ts');
    const boot = async (bootId: string) => {
      const host = { bootId, machineId: '6'.repeat(32), agentVersion: '1' };
      const file = place(`web-6-${bootId}.json`);
      await writeFile(file, JSON.stringify({ config, commands: [], programs: { systemctl }, host }));
      const started = stack.use(startProcess([process.execPath, entry, file], { name: 'agent web-6' }));
      await started.waitForLine(/^connected$/);
      return started;
    };
    await state('running');
    const before_ = await boot('first-boot');
    const known = settling;
    const id = await admitted(client, { workflow: 'reboot', target: { node: 'web-6' } });
    await eventually(async () => (await readMarks(place('reboot.marks'))).length > 0, { what: 'the reboot' });
    await state('stopping');
    await before_.kill();
    await eventually(() => settling > known, { what: 'the coordinator to miss it', timeoutMs: 60_000 });
    await state('starting');
    await boot('second-boot');
    await state('running');
    const detail = await ended(client, id);
    assert.equal(detail.outcome, 'healed', detail.message ?? '');
    const [step, ...more] = detail.steps;
    assert.ok(step?.result.status === 'done' && more.length === 0, JSON.stringify(detail.steps));
    const { boot_id_before: from, boot_id_after: to, down_ms: down } = step.result.output.facts;
    assert.deepEqual([from, to], ['first-boot', 'second-boot']);
    assert.ok(Number(down) > 0);
    assert.deepEqual(await readMarks(place('reboot.marks')), ['--no-ask-password reboot']);
    await allFree(client);
  });
});
