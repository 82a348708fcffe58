/** Nodes on a whole site: agents get their credential from coordinators, machines are pinned, one node is shut out. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readFile } from 'node:fs/promises';
import { openTemporal, type Temporal } from '../coordinator/temporal.ts';
import { nodeRecords, type NodeRecords } from '../coordinator/nodes/node-records.ts';
import type { CoordinatorClient } from '../identity/coordinator-client.ts';
import type { ApiExecutionDetail, ApiNode } from '../workflows/api.ts';
import { eventually, runProcess } from './support/processes.ts';
import { makeSite, type Site } from './support/site.ts';

const OTHER = '00000000000000000000000000000bad';
const PING = 'description = "ping"\nstep "ping" {\n  action  = "ping"\n  timeout = "5s"\n}\n';

describe('nodes', () => {
  const stack = new AsyncDisposableStack();
  const log = { 'web-1': [] as string[], 'web-2': [] as string[] };
  let site: Site;
  let client: CoordinatorClient;
  let temporal: Temporal;
  let records: NodeRecords;
  let own: string;

  before(async () => {
    own = (await readFile('/etc/machine-id', 'utf8')).trim();
    site = stack.use(
      await makeSite({
        nodes: [
          { name: 'web-1', type: 'web' },
          { name: 'web-2', type: 'web' },
        ],
        machines: { 'web-2': OTHER },
        workflows: { ping: PING },
        tokens: '12s',
        onLine: (role, line) => {
          if (role === 'web-1' || role === 'web-2') log[role].push(line);
        },
      }),
    );
    await site.setUp();
    site.startAgent('web-1');
    site.startAgent('web-2');
    await site.startCoordinator();
    client = stack.use(await site.client());
    const { address } = site.temporal;
    const server = { address, namespace: 'fettle', agentsNamespace: 'fettle-agents', apiKeyFile: null, tls: null };
    temporal = await openTemporal(server, 'test');
    stack.defer(() => temporal.close());
    records = nodeRecords(temporal);
  });
  after(() => stack.disposeAsync());

  const node = async (name: string): Promise<ApiNode> => {
    const found = (await client.nodes()).find((one) => one.node === name);
    assert.ok(found, `${name} is not listed`);
    return found;
  };
  const fettle = async (...words: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> =>
    runProcess(site.fettle(...words), { env: await site.environment() });
  const remedy = async (target: string): Promise<ApiExecutionDetail> => {
    const decision = await client.request({ workflow: 'ping', target: { node: target } });
    assert.ok(decision.decision === 'admitted', JSON.stringify(decision));
    return eventually(
      async () => {
        const found = await client.getExecution(decision.execution);
        return found.state === 'running' ? null : found;
      },
      { what: 'the end of the remedy', timeoutMs: 60_000 },
    );
  };
  const metric = async (name: string): Promise<number> => {
    const { stdout } = await runProcess(['curl', '-sk', `${site.address}/metrics`]);
    const line = stdout.split('\n').find((one) => one.startsWith(name));
    return Number(line?.split(' ').at(-1) ?? 0);
  };

  test('an agent gets its credential for its SVID, and renews it while it runs', async () => {
    await eventually(async () => (await node('web-1')).renewed_at, { what: 'the first token', timeoutMs: 30_000 });
    const first = (await node('web-1')).renewed_at;
    await eventually(async () => (await node('web-1')).renewed_at !== first, { what: 'a renewal', timeoutMs: 30_000 });
    assert.ok(log['web-1'].some((line) => line.includes('connected to Temporal')));
    assert.ok(!log['web-1'].some((line) => line.includes('eyJ')), 'a token stands in the log');
  });

  test('the first receipt says which machine a node is', async () => {
    const healed = await eventually(
      async () => {
        const execution = await remedy('web-1').catch(() => null);
        return execution?.outcome === 'healed' ? execution : null;
      },
      { what: 'a remedy', timeoutMs: 60_000 },
    );
    const { result } = healed.steps[0] ?? {};
    assert.ok(result?.status === 'done');
    assert.ok(Number(result.output.facts['token_valid_s']) > 0, 'ping does not tell of the token');
    assert.deepEqual((await node('web-1')).machine, { id: own, by: 'receipt' });
    assert.equal((await records.read('web-1')).machineId, own);
  });

  test('a machine that the inventory does not name gets no credential, and is reported', async () => {
    await eventually(async () => (await node('web-2')).other_machine, { what: 'the report', timeoutMs: 30_000 });
    const { machine, other_machine: other, renewed_at: renewed } = await node('web-2');
    assert.deepEqual(machine, { id: OTHER, by: 'inventory' });
    assert.deepEqual([other?.id, other?.via, renewed], [own, 'token', null]);
    assert.ok((await metric('fettle_coordinator_other_machines_total{via="token"}')) > 0);
    assert.ok(!log['web-2'].some((line) => line.includes('connected to Temporal')));
    const { stdout } = await fettle('nodes');
    assert.match(stdout, /^web-2 +other machine /m);
  });

  test('of two machines that pin a node at once one is first, whoever asks', async () => {
    const pins = ['a', 'b', 'c', 'd'].map((name) =>
      records.change('pin-race', { op: 'pin', machineId: `machine-${name}` }),
    );
    const seen = new Set((await Promise.all(pins)).map(({ machineId }) => machineId));
    assert.equal(seen.size, 1);
    assert.equal((await records.read('pin-race')).machineId, [...seen][0]);
  });

  test('orders name the pinned machine, so that a clone refuses them; unpin lets it in', async () => {
    await records.change('web-1', { op: 'unpin', by: 'test', reason: 'clone' });
    await records.change('web-1', { op: 'pin', machineId: OTHER });
    await eventually(async () => (await node('web-1')).machine?.id === OTHER, { what: 'the other pin' });
    const refused = await eventually(
      async () => {
        const execution = await remedy('web-1');
        return execution.outcome === 'refused_by_agent' ? execution : null;
      },
      { what: 'a refusal', timeoutMs: 60_000 },
    );
    assert.match(refused.message ?? '', /grant_other_machine/);
    assert.equal((await node('web-1')).other_machine?.id, own);
    assert.ok((await metric('fettle_coordinator_other_machines_total{via="receipt"}')) > 0);
    const { code, stdout } = await fettle('nodes', 'unpin', 'web-1', '--reason', 'reinstalled');
    assert.equal(code, 0);
    assert.match(stdout, /whatever machine its next receipt comes from/);
    assert.equal((await remedy('web-1')).outcome, 'healed');
    assert.deepEqual((await node('web-1')).machine, { id: own, by: 'receipt' });
    assert.equal((await node('web-1')).other_machine, null);
  });

  test('a node that is shut out gets neither orders nor credentials, over restarts of coordinators, until it is restored', async () => {
    const { code, stdout } = await fettle('nodes', 'revoke', 'web-1', '--reason', 'its key was copied');
    assert.equal(code, 0);
    assert.match(stdout, /fettle nodes restore web-1/);
    const refused = await remedy('web-1');
    assert.equal(refused.outcome, 'failed');
    assert.match(refused.message ?? '', /shut out by .*person\/oncall \(its key was copied\)/);
    const shutOut = (line: string): boolean => line.includes('node_revoked');
    await eventually(() => log['web-1'].some(shutOut), { what: 'the agent to be told', timeoutMs: 30_000 });
    const { process: old } = await site.startCoordinator('c2');
    await old.stop();
    assert.equal((await records.read('web-1')).revoked?.reason, 'its key was copied');
    assert.match((await fettle('nodes')).stdout, /^web-1 +revoked /m);
    assert.equal((await fettle('nodes', 'restore', 'web-1', '--reason', 'new key')).code, 0);
    assert.equal((await remedy('web-1')).outcome, 'healed');
  });

  test('who may not revoke is told so, and a node that nobody knows is not revoked by accident', async () => {
    const unknown = await fettle('nodes', 'revoke', 'web-11', '--reason', 'typo');
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /no node "web-11" is known/);
    const forced = await fettle('nodes', 'revoke', 'web-11', '--reason', 'not installed yet', '--force');
    assert.equal(forced.code, 0);
    assert.equal((await records.read('web-11')).revoked?.reason, 'not installed yet');
  });

  test('doctor says that this server lets anyone in, so that tokens are no wall', async () => {
    const { code, stdout } = await fettle('doctor', '--config', site.configFile('coordinator-c1'));
    assert.equal(code, 1, stdout);
    assert.match(stdout, /warn +wall .*lets anyone in/);
    assert.match(stdout, /fail +wall .*an agent's token can read namespace fettle/);
    assert.match(stdout, /ok +wall .*\/v1\/jwks publishes the token key/);
    const agent = await fettle('doctor', '--config', site.configFile('agent-web-1'));
    assert.match(agent.stdout, /ok +coordinator .*gives this host tokens for Temporal/);
    assert.match(agent.stdout, /fail +wall .*an agent's token can read namespace fettle/);
  });

  test('a record keeps its state over continue-as-new and over being ended by hand', async () => {
    await records.change('long', { op: 'pin', machineId: 'machine-1' });
    for (let n = 0; n < 60; n += 1)
      await records.change('long', { op: 'other', machineId: `machine-${n + 2}`, via: 'token' });
    const handle = temporal.control.workflow.getHandle('fettle/node/long');
    assert.ok((await handle.describe()).historyLength < 300);
    assert.equal((await records.read('long')).machineId, 'machine-1');
    await handle.terminate('by hand');
    assert.equal((await records.read('long')).machineId, 'machine-1');
    await records.change('long', { op: 'revoke', by: 'test', reason: 'again' });
    const { machineId, revoked } = await records.read('long');
    assert.deepEqual([machineId, revoked?.reason], ['machine-1', 'again']);
  });
});
