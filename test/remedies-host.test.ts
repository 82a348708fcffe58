/**
 * The remedies that ship, on a real host: a booted Debian, broken first, with the agent and the rules of workflows/remedies/hosts. The
 * workflow files are those that ship, but for their patience: what has to hold for a minute has to hold for a second here.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { CoordinatorClient } from '../identity/coordinator-client.ts';
import type { ApiExecutionDetail } from '../workflows/api.ts';
import type { ActionOutput, Scalar } from '../workflows/contract.ts';
import { builtProgram, installAgent, type InstalledAgent } from './support/booted-agent.ts';
import { bootHost, hostsLeftOut, type BootedHost } from './support/booted-host.ts';
import { ended } from './support/paths-site.ts';
import { eventually } from './support/processes.ts';
import { COORDINATOR_ID, makeSite, type Site } from './support/site.ts';
import { HOST_COMMANDS, HOST_RULES, REMEDIES, SHIPPED } from './remedies-page.ts';

const NODE = 'web-1';
const BEAT = '/run/worker/beat';

/** A `verify` block that is content sooner, and gives up after so long. */
const hastened = (text: string, timeout: string): string =>
  text.replace(/^verify \{.*\n[^]*?^\}/m, (block) =>
    block
      .replaceAll(/^ {2}(?:for|timeout|every) +=.*\n/gm, '')
      .replace(/\}$/, `  for     = "1s"\n  timeout = "${timeout}"\n  every   = "500ms"\n}`),
  );

/** Beside the files under their own names: one that gives up at once, and one that its limits let run a second time. */
async function workflowTexts(): Promise<Record<string, string>> {
  const read = (name: string): Promise<string> => readFile(path.join(REMEDIES, `${name}.hcl`), 'utf8');
  const own = SHIPPED.map(async (name) => [name, hastened(await read(name), '90s')] as const);
  const impatient = hastened(await read('take-out-of-service'), '2s');
  return {
    ...Object.fromEntries(await Promise.all(own)),
    'take-out-in-vain': impatient,
    'kill-hoarder': hastened(await read('kill-runaway'), '90s'),
  };
}

const UNIT = (argv: string, more = ''): string => `[Service]\nExecStart=${argv}\n${more}`;

/** Beats until it is wedged; then it hangs for ever and hears nothing of SIGTERM. */
const WORKER = `#!/bin/bash
trap '' TERM
mkdir -p ${path.dirname(BEAT)}
mkfifo /run/worker/never 2> /dev/null
while [ ! -e /run/worker/wedge ]; do date +%s.%N > ${BEAT}; sleep 0.1; done
rm /run/worker/wedge
exec 9<> /run/worker/never
read -r -u 9
`;

/** What a host's own hook may look like: it takes its state out of a file, and connections take their time. */
const SERVICE_STATE = `#!/bin/sh
file=/var/lib/service-state
case "$1" in
  in|out) echo "$1" > $file ;;
  is-in) test "$(cat $file)" = in ;;
  is-out) test "$(cat $file)" = out && test ! -e /run/connections ;;
  *) exit 2 ;;
esac
`;

const leftOut = hostsLeftOut();

describe('the remedies that ship, on a real host', { skip: leftOut ?? false }, () => {
  const stack = new AsyncDisposableStack();
  let site: Site;
  let host: BootedHost;
  let agent: InstalledAgent;
  let client: CoordinatorClient;

  before(async () => {
    site = stack.use(
      await makeSite({
        nodes: [{ name: NODE, type: 'web' }],
        workflows: await workflowTexts(),
        people: ['deputy'],
      }),
    );
    const coordinator = site.setUp().then(() => site.startCoordinator());
    // From the sources each action would begin with compiling them.
    const { bind } = stack.use(await builtProgram());
    host = stack.use(
      await bootHost({
        name: NODE,
        bind,
        disks: { '/srv': 32 << 20 },
      }),
    );
    agent = await installAgent(host, {
      pki: site.pki,
      place: { datacenter: 'dc1', nodeType: 'web', node: NODE },
      issuer: COORDINATOR_ID,
      temporal: site.temporal.address,
      allow: await readFile(HOST_RULES, 'utf8'),
      actions: await readFile(HOST_COMMANDS, 'utf8'),
      helper: true,
    });
    await furnish(host);
    await coordinator;
    await agent.start();
    client = await site.client();
    stack.defer(() => client[Symbol.asyncDispose]());
    const known = async () => (await client.nodes()).some(({ node, alive }) => node === NODE && alive);
    await eventually(known, { what: `the agent of ${NODE}`, timeoutMs: 60_000 });
  });
  after(() => stack.disposeAsync());

  /** Asks, and waits until it has ended. */
  const run = async (workflow: string, args: Readonly<Record<string, Scalar>> = {}): Promise<ApiExecutionDetail> => {
    const decision = await client.request({ workflow, target: { node: NODE }, args });
    assert.ok(decision.decision === 'admitted', JSON.stringify(decision));
    return ended(client, decision.execution);
  };
  const heals = async (workflow: string, args: Readonly<Record<string, Scalar>> = {}): Promise<ApiExecutionDetail> => {
    const detail = await run(workflow, args);
    assert.equal(detail.outcome, 'healed', told(detail));
    return detail;
  };

  it('collect-diagnostics keeps a bundle that root alone reads', async () => {
    const { facts, bytes } = outputOf(await heals('collect-diagnostics', { unit: 'web.service' }), 'collect');
    const [owner, , size] = (await host.sh('stat', '-c', '%U %a %s', String(facts['path']))).trim().split(' ');
    assert.deepEqual([owner, Number(size)], ['root', bytes]);
    assert.match(
      (await host.sh('sha256sum', String(facts['path']))).trim(),
      new RegExp(`^${String(facts['sha256'])} `),
    );
  });

  it('restart-service brings back a unit that died', async () => {
    await host.sh('systemctl', 'kill', '--signal=KILL', 'web.service');
    await host.waitFor(['systemctl', 'is-failed', '--quiet', 'web.service']);
    const detail = await heals('restart-service', { unit: 'web.service' });
    assert.equal(detail.verified, true);
    assert.equal((await host.sh('systemctl', 'is-active', 'web.service')).trim(), 'active');
  });

  it('restart-if-down brings back what is down, and leaves alone what is up', async () => {
    await host.sh('systemctl', 'stop', 'web.service');
    await heals('restart-if-down', { unit: 'web.service' });
    assert.equal((await host.sh('systemctl', 'is-active', 'web.service')).trim(), 'active');
    const detail = await run('restart-if-down', { unit: 'web.service' });
    assert.equal(detail.outcome, 'no_fault', told(detail));
  });

  it('restart-wedged-service keeps the stacks of a unit that hangs and ignores SIGTERM, then restarts it', async () => {
    const pid = (await host.sh('systemctl', 'show', '--value', '-p', 'MainPID', 'worker-1.service')).trim();
    await host.sh('touch', '/run/worker/wedge');
    await host.waitFor(['test', '!', '-e', '/run/worker/wedge']);
    const beat = await host.read(BEAT);
    const detail = await heals('restart-wedged-service', { unit: 'worker-1.service' });
    const bundle = String(outputOf(detail, 'stacks').facts['path']);
    assert.match(await host.sh('tar', '-xaOf', bundle), new RegExp(`\\b${pid}\\b`));
    await host.waitFor(async () => (await host.read(BEAT)) !== beat);
  });

  it('reset-failed-units clears what failed, and keeps the names', async () => {
    for (const name of ['broken-1', 'broken-2']) {
      await host.run(['systemd-run', `--unit=${name}`, '/bin/false']);
      await host.waitFor(['systemctl', 'is-failed', '--quiet', `${name}.service`]);
    }
    const detail = await heals('reset-failed-units');
    const reset = detail.steps.find(({ step }) => step === 'reset')?.result;
    assert.match(reset?.status === 'done' ? (reset.output.tail ?? '') : '', /broken-1\.service.*broken-2\.service/s);
    assert.equal((await host.sh('systemctl', 'list-units', '--failed', '--no-legend', '--plain')).trim(), '');
  });

  it('clean-disk empties a full disk of what the host lets go, and of nothing else', async () => {
    const folder = '/srv/uploads/tmp';
    await host.sh('mkdir', '-p', folder);
    for (const name of ['upload-1.part', 'upload-2.part', 'upload-new.part', 'upload-3.part', 'kept.txt'])
      await host.run(['dd', 'if=/dev/zero', `of=${folder}/${name}`, 'bs=1M', 'count=6']);
    await host.sh(
      'touch',
      '-d',
      '2 days ago',
      ...['1.part', '2.part', '3.part', 'new.part'].map((end) => `${folder}/upload-${end}`),
    );
    await host.sh('touch', `${folder}/upload-3.part`);
    assert.match(await host.sh('df', '--output=pcent', '/srv'), /9\d%|100%/);
    const detail = await heals('clean-disk', { path: '/srv', files: 'uploads', min_free_percent: 30 });
    const left = (await host.sh('ls', folder)).trim().split('\n');
    assert.deepEqual(left, ['kept.txt', 'upload-3.part', 'upload-new.part'], 'young ones and other names stay');
    assert.ok(Number(outputOf(detail, 'verify').facts['path_free_percent']) >= 30, told(detail));
  });

  for (const { what, workflow, script, least } of [
    {
      what: 'a processor',
      workflow: 'kill-runaway',
      script: 'while :; do :; done',
      least: { min_cpu_percent: 10, min_rss_mb: 0 },
    },
    {
      what: 'memory',
      workflow: 'kill-hoarder',
      script: 'hoard=$(head -c 80M /dev/zero | tr "\\0" x); sleep infinity & wait',
      least: { min_cpu_percent: 0, min_rss_mb: 70 },
    },
  ]) {
    it(`kill-runaway ends the one process that eats ${what}`, async () => {
      await host.sh('systemd-run', `--unit=${workflow}`, '/usr/local/bin/report', '-c', script);
      await host.waitFor(() => isRunaway(host, least.min_rss_mb));
      const detail = await heals(workflow, { exe: '/usr/local/bin/report', min_age_s: 1, ...least });
      assert.equal(outputOf(detail, 'who').facts['matched'], 1, told(detail));
      assert.equal((await host.run(['pgrep', '-x', 'report'])).code, 1);
    });
  }

  it('take-out-of-service puts the node back when its connections do not end', async () => {
    await host.sh('touch', '/run/connections');
    const detail = await run('take-out-in-vain');
    assert.equal(detail.outcome, 'ineffective', told(detail));
    assert.deepEqual(
      detail.steps.map(({ step, result }) => [step, result.status]),
      [
        ['drain', 'done'],
        ['verify', 'failed'],
        ['undrain', 'done'],
      ],
    );
    assert.equal(await host.read('/var/lib/service-state'), 'in\n');
  });

  it('take-out-of-service and return-to-service do what they say', async () => {
    await host.sh('rm', '/run/connections');
    await heals('take-out-of-service');
    assert.equal(await host.read('/var/lib/service-state'), 'out\n');
    await heals('return-to-service');
    assert.equal(await host.read('/var/lib/service-state'), 'in\n');
  });

  it('reboot-node waits for another person, reboots the host once, and goes on when it is back', async () => {
    const bootId = await host.bootId();
    const asked = await client.request({ workflow: 'reboot-node', target: { node: NODE } });
    assert.ok(asked.decision === 'pending', JSON.stringify(asked));
    await using deputy = await site.client('deputy');
    const shown = (await deputy.listPending()).find(({ pending }) => pending === asked.pending);
    await deputy.approve(asked.pending, { plan: shown?.plan, reason: 'looked at it' });
    const execution = await eventually(async () => (await client.getPending(asked.pending)).execution, {
      what: 'its execution',
      timeoutMs: 30_000,
    });
    await host.rebooted(bootId);
    const detail = await ended(client, execution);
    assert.equal(detail.outcome, 'healed', told(detail));
    const { facts } = outputOf(detail, 'reboot');
    assert.equal(facts['boot_id_before'], bootId);
    assert.equal(facts['boot_id_after'], await host.bootId());
    const boots = await host.sh('journalctl', '--list-boots', '--no-pager');
    assert.equal([...boots.matchAll(/^ *-?\d+ /gm)].length, 2, `booted once, rebooted once:\n${boots}`);
  });
});

async function furnish(host: BootedHost): Promise<void> {
  await host.write('/usr/local/bin/worker', WORKER, 0o755);
  await host.write('/usr/local/sbin/service-state', SERVICE_STATE, 0o755);
  await host.write('/var/lib/service-state', 'in\n');
  // A file of its own, so that it is an executable of its own.
  await host.sh('cp', '/bin/bash', '/usr/local/bin/report');
  await host.write('/etc/systemd/system/web.service', UNIT('/bin/sleep infinity'));
  await host.write('/etc/systemd/system/worker-1.service', UNIT('/usr/local/bin/worker', 'TimeoutStopSec=2s\n'));
  await host.sh('systemctl', 'daemon-reload');
  await host.sh('systemctl', 'start', 'web.service', 'worker-1.service');
}

/** The runaway is old enough, and holds so many MiB. */
async function isRunaway(host: BootedHost, leastMib: number): Promise<boolean> {
  const { stdout } = await host.run(['ps', '-C', 'report', '-o', 'rss=,etimes=']);
  const [rssKib = 0, age = 0] = stdout.trim().split(/\s+/).map(Number);
  return rssKib >= leastMib * 1024 && age >= 2;
}

/** Of the last attempt of a step that was done. */
function outputOf(detail: ApiExecutionDetail, step: string): ActionOutput {
  const result = detail.steps.findLast((record) => record.step === step)?.result;
  assert.ok(result?.status === 'done', told(detail));
  return result.output;
}

/** All of it, for the message of a test that fails. */
const told = (detail: ApiExecutionDetail): string =>
  [detail.message ?? '', ...detail.steps.map((step) => JSON.stringify(step))].join('\n');
