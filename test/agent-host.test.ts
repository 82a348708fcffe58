/** The two processes of the agent, from their units, on a booted Debian: what a signed order does, and what every death leaves. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ActionResult } from '../workflows/contract.ts';
import {
  type AgentBench,
  AGENTS_NAMESPACE,
  makeAgentBench,
  opened,
  openSender,
  type OrderSender,
  WEB_1,
} from './support/agent-bench.ts';
import { AGENT_UNIT, type InstalledAgent, installAgent, PROGRAM } from './support/booted-agent.ts';
import { type BootedHost, bootHost, hostsLeftOut } from './support/booted-host.ts';
import { startTemporal, type TemporalServer } from './support/temporal.ts';

let temporal: TemporalServer;
let bench: AgentBench;
let sender: OrderSender;
let host: BootedHost;
let agent: InstalledAgent;

const HELPERS = 'fettle-agent-helper@*.service';
/** Says that it began, waits for a file, says how it ended. */
const HOLD = `#!/bin/sh
echo began >> /var/tmp/began.$1
while [ ! -e /var/tmp/go.$1 ]; do sleep 0.05; done
echo held $1
`;
const ACTIONS = `
command "hold" {
  argv       = ["/usr/local/bin/hold", "{name}"]
  timeout    = "5m"
  memory_max = "64M"
  tasks_max  = 40
  input "name" { pattern = "[a-z-]+" }
}
command "whoami" {
  argv = ["/usr/bin/id", "-un"]
  user = "nobody"
}
`;

describe('the agent and its root helper on a host with systemd', { skip: hostsLeftOut() ?? false }, () => {
  before(async () => {
    [temporal, bench, host] = await Promise.all([
      startTemporal({ namespaces: [AGENTS_NAMESPACE] }),
      makeAgentBench(),
      bootHost({ name: 'web-1', bind: PROGRAM }),
    ]);
    sender = await openSender(temporal.address);
    await host.write('/usr/local/bin/hold', HOLD, 0o755);
    await host.write(
      '/etc/systemd/system/web.service',
      '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n',
    );
    const { pki, issuer } = bench;
    const setUp = { pki, place: WEB_1, issuer, temporal: temporal.address, actions: ACTIONS, helper: true };
    agent = await installAgent(host, setUp);
    await host.sh('systemctl', 'start', 'web.service');
    await agent.start();
  });
  after(async () => {
    await sender?.[Symbol.asyncDispose]();
    await host?.[Symbol.asyncDispose]();
    await temporal?.[Symbol.asyncDispose]();
    await bench?.[Symbol.asyncDispose]();
  });

  const act = async (action: string, args: Record<string, string>, step: string): Promise<ActionResult> =>
    (await opened(await sender.act(await bench.order(action, args, { step })))).result;
  const began = async (name: string): Promise<number> =>
    (await host.run(['cat', `/var/tmp/began.${name}`])).stdout.split('\n').filter(Boolean).length;
  const units = async (pattern: string): Promise<string[]> =>
    (await host.sh('systemctl', 'list-units', '--plain', '--no-legend', '--state=active,activating', pattern))
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(' ')[0]!);
  const settled = async (step: string) => (await sender.settle(await bench.settle({ step }))).answer;
  /** An order whose program has begun and waits. */
  const holding = async (name: string) => {
    const order = await bench.order('exec', { command: 'hold', name }, { step: name });
    const answer = sender.act(order);
    answer.catch(() => undefined);
    await host.waitFor(async () => (await began(name)) === 1);
    return { order, answer };
  };

  it('restarts a unit, in a unit of its own, and nothing stays behind', async () => {
    const pid = await host.sh('systemctl', 'show', '--value', '-p', 'MainPID', 'web.service');
    const result = await act('systemd.restart', { unit: 'web.service' }, 'restart');
    assert.equal(result.status, 'done', JSON.stringify(result) + (await host.journal()));
    assert.notEqual(await host.sh('systemctl', 'show', '--value', '-p', 'MainPID', 'web.service'), pid);
    assert.match(await host.journal('fettle-action-*'), /action ended/);
    await host.waitFor(
      async () => (await units('fettle-a*@*')).length === 0 && (await units('fettle-action-*')).length === 0,
    );
  });

  it('tells the real result of an action whose helper was killed', async () => {
    const { answer } = await holding('helper-killed');
    await host.sh('systemctl', 'kill', '--signal=KILL', ...(await units(HELPERS)));
    await host.sh('touch', '/var/tmp/go.helper-killed');
    const { result } = await opened(await answer);
    assert.equal(result.status === 'done' && result.output.tail, 'held helper-killed\n', JSON.stringify(result));
    assert.equal(await began('helper-killed'), 1);
  });

  it('tells the real result of an action whose agent was killed', async () => {
    const { order } = await holding('agent-killed');
    await host.sh('systemctl', 'kill', '--signal=KILL', AGENT_UNIT);
    await agent.connected();
    assert.deepEqual(await settled('agent-killed'), { state: 'running', attempt: 1 });
    const again = sender.act(order);
    await host.sh('touch', '/var/tmp/go.agent-killed');
    const { result } = await opened(await again);
    assert.equal(result.status === 'done' && result.output.tail, 'held agent-killed\n', JSON.stringify(result));
    assert.deepEqual(await settled('agent-killed'), { state: 'ended', attempt: 1, result });
    assert.equal(await began('agent-killed'), 1);
  });

  it('lets an action go on while the agent is restarted, and its result be settled', async () => {
    await holding('agent-restarted');
    await agent.start();
    assert.deepEqual(await settled('agent-restarted'), { state: 'running', attempt: 1 });
    await host.sh('touch', '/var/tmp/go.agent-restarted');
    await host.waitFor(async () => (await units('fettle-action-*')).length === 0);
    const answer = await settled('agent-restarted');
    assert.equal(answer.state === 'ended' && answer.result.status, 'done', JSON.stringify(answer));
    assert.equal(await began('agent-restarted'), 1);
  });

  it('ends a cancelled action with everything in its unit', async () => {
    const order = await bench.order('exec', { command: 'hold', name: 'cancelled' }, { step: 'cancelled' });
    const id = await sender.send(order);
    await host.waitFor(async () => (await began('cancelled')) === 1);
    const [unit = ''] = await units('fettle-action-*');
    const handle = sender.client.activity.getHandle(id);
    await handle.cancel('enough');
    const { result } = await opened((await handle.result()) as string);
    assert.equal(result.status === 'failed' && result.code, 'cancelled', JSON.stringify(result));
    assert.notEqual((await host.run(['systemctl', 'is-active', unit])).code, 0);
    assert.equal((await host.run(['pgrep', '-f', 'hold cancelled'])).stdout, '');
  });

  it('ends an action whose time is over, and one on a braked host when the brake says so', async () => {
    const late = await bench.order('exec', { command: 'hold', name: 'late' }, { step: 'late', timeout_ms: 4000 });
    const ended = (await opened(await sender.act(late))).result;
    assert.equal(ended.status === 'failed' && ended.code, 'timeout', JSON.stringify(ended));
    const { answer } = await holding('braked');
    await host.write('/etc/fettle/stop', 'cancel: yes\n');
    const { result } = await opened(await answer);
    assert.equal(result.status === 'failed' && result.code, 'cancelled', JSON.stringify(result));
    const refused = await act('systemd.restart', { unit: 'web.service' }, 'while-braked');
    assert.equal(refused.status === 'refused' && refused.code, 'brake', JSON.stringify(refused));
    await host.sh('rm', '/etc/fettle/stop');
    assert.equal((await host.run(['pgrep', '-f', 'bin/hold'])).stdout, '');
  });

  it('bounds the unit as the command says, and runs a command as its user', async () => {
    const { answer } = await holding('bounded');
    const [unit = ''] = await units('fettle-action-*');
    const names = ['MemoryMax', 'TasksMax', 'ProtectSystem', 'RuntimeMaxUSec', 'KillMode', 'SendSIGKILL'];
    const shown = await host.sh('systemctl', 'show', ...names.flatMap((name) => ['-p', name]), unit);
    assert.deepEqual(shown.trim().split('\n').toSorted(), [
      'KillMode=mixed',
      `MemoryMax=${64 * 2 ** 20}`,
      'ProtectSystem=full',
      'RuntimeMaxUSec=38s',
      'SendSIGKILL=yes',
      'TasksMax=40',
    ]);
    await host.sh('touch', '/var/tmp/go.bounded');
    await answer;
    const result = await act('exec', { command: 'whoami' }, 'whoami');
    assert.equal(result.status === 'done' && result.output.tail, 'nobody\n', JSON.stringify(result));
  });

  it('says unknown of an action whose unit was killed, and does not do it again', async () => {
    const { order, answer } = await holding('runner-killed');
    await host.sh('systemctl', 'kill', '--signal=KILL', ...(await units('fettle-action-*')));
    const { result } = await opened(await answer);
    assert.equal(result.status, 'unknown', JSON.stringify(result));
    assert.deepEqual((await opened(await sender.act(order))).result, result);
    assert.equal(await began('runner-killed'), 1);
    assert.equal((await host.run(['systemctl', 'list-units', '--failed', '--plain', '--no-legend'])).stdout, '');
  });

  it('does one change at a time', async () => {
    const { answer } = await holding('first');
    const second = act('exec', { command: 'hold', name: 'second' }, 'second');
    await host.waitFor(async () => (await units(HELPERS)).length === 2);
    assert.equal(await began('second'), 0);
    await host.sh('touch', '/var/tmp/go.second');
    await host.sh('touch', '/var/tmp/go.first');
    await answer;
    assert.equal((await second).status, 'done', JSON.stringify(await second));
  });

  it('gives the agent itself no power over the host', async () => {
    const pid = await agent.pid();
    const status = await host.sh('cat', `/proc/${pid}/status`);
    assert.match(status, /^CapBnd:\s+0+$/m);
    assert.match(status, /^NoNewPrivs:\s+1$/m);
    assert.match(await host.sh('ps', '-o', 'user=', '-p', String(pid)), /^fettle-a/);
    for (const file of ['/var/lib/fettle/helper/ledger', '/etc/fettle/secrets']) {
      const { code } = await host.run(['ls', file], { user: 'fettle-agent' });
      assert.notEqual(code, 0, file);
    }
    assert.equal((await host.run(['ss', '-Hltnp'])).stdout.includes(`pid=${pid},`), false);
  });

  it('is as exposed as systemd-analyze reckons, at most 2.0', async () => {
    const said = await host.run(['systemd-analyze', 'security', '--no-pager', AGENT_UNIT]);
    const exposure = Number(/Overall exposure level for .*: ([0-9.]+)/.exec(said.stdout)?.[1]);
    assert.ok(exposure <= 2, said.stdout + said.stderr);
  });
});
