/**
 * The wall between the two namespaces, as Temporal's own server holds it with its JWT authorizer on: what an agent's credential opens and what
 * not, and that agents live with credentials of seconds. `npm run test:server`.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Connection } from '@temporalio/client';
import { pino } from 'pino';
import { requestToken, type GivenToken } from '../../agent/credential-request.ts';
import { parseSpiffeId } from '../../config/spiffe-id.ts';
import { signTemporalToken } from '../../coordinator/agent-token/token-keys.ts';
import { makeTokenKey } from '../../identity/dev-ca.ts';
import type { CoordinatorClient } from '../../identity/coordinator-client.ts';
import { openSvidSource } from '../../identity/svid-source.ts';
import type { ApiExecutionDetail } from '../../workflows/api.ts';
import { drillStep, startDrillSite, type DrillSite } from '../support/drill-site.ts';
import { eventually, runProcess, type RunningProcess } from '../support/processes.ts';
import { COORDINATOR_ID } from '../support/site.ts';
import { startAuthorizingServer } from './authorizing-server.ts';

/** Long enough for a busy machine, short enough to see many of them in a test. */
const TTL = '15s';
const TTL_MS = 15_000;
const HOUR_MS = 3_600_000;
/** Coordinators' own first token ends within the run: what comes later rests on the one that took its place. */
const COORDINATOR_MS = 90_000;
const PERMISSION_DENIED = 7;
const ADMIN = ['temporal-system:admin', 'fettle:admin', 'fettle-agents:admin'];
const AGENT = ['fettle-agents:write'];

type Service = Connection['workflowService'];
const execution = { workflowId: 'fettle/gate/main' };
const queue = { name: 'fettle/act' };
const kind = { taskQueueType: 1 as never };

/** What a thief of an agent's credential would try, each with the namespace it is tried in. */
const FORBIDDEN: Readonly<Record<string, (service: Service, connection: Connection) => Promise<unknown>>> = {
  'start a workflow': (service) =>
    service.startWorkflowExecution({
      namespace: 'fettle',
      workflowId: 'x',
      requestId: 'x',
      workflowType: { name: 'gate' },
      taskQueue: { name: 'fettle/gate' },
    }),
  'describe the gate': (service) => service.describeWorkflowExecution({ namespace: 'fettle', execution }),
  'read its history': (service) => service.getWorkflowExecutionHistory({ namespace: 'fettle', execution }),
  'list executions': (service) => service.listWorkflowExecutions({ namespace: 'fettle' }),
  'count executions': (service) => service.countWorkflowExecutions({ namespace: 'fettle' }),
  'poll for workflow tasks': (service) => service.pollWorkflowTaskQueue({ namespace: 'fettle', taskQueue: queue }),
  'poll for activities': (service) => service.pollActivityTaskQueue({ namespace: 'fettle', taskQueue: queue }),
  'terminate the gate': (service) =>
    service.terminateWorkflowExecution({ namespace: 'fettle', workflowExecution: execution }),
  'signal the gate': (service) =>
    service.signalWorkflowExecution({ namespace: 'fettle', workflowExecution: execution, signalName: 'x' }),
  'reset the gate': (service) =>
    service.resetWorkflowExecution({ namespace: 'fettle', workflowExecution: execution, requestId: 'x' }),
  'ask the gate': (service) =>
    service.queryWorkflow({ namespace: 'fettle', execution, query: { queryType: 'summary' } }),
  'restore a node': (service) =>
    service.updateWorkflowExecution({
      namespace: 'fettle',
      workflowExecution: { workflowId: 'fettle/node/web-1' },
      request: { meta: { updateId: 'x' }, input: { name: 'change' } },
    }),
  'look at a queue': (service) => service.describeTaskQueue({ namespace: 'fettle', taskQueue: queue, ...kind }),
  'describe the namespace': (service) => service.describeNamespace({ namespace: 'fettle' }),
  'list namespaces': (service) => service.listNamespaces({}),
  'register a namespace': (service) =>
    service.registerNamespace({ namespace: 'x', workflowExecutionRetentionPeriod: { seconds: 86_400 as never } }),
  'change its own namespace': (service) => service.updateNamespace({ namespace: 'fettle-agents' }),
  'add search attributes': (_, connection) =>
    connection.operatorService.addSearchAttributes({ namespace: 'fettle', searchAttributes: { X: 2 as never } }),
};

const denied = (error: unknown): boolean =>
  error instanceof Error && (error as { code?: unknown }).code === PERMISSION_DENIED;

describe('the wall between the namespaces', () => {
  const stack = new AsyncDisposableStack();
  const lines: string[] = [];
  let drill: DrillSite;
  let client: CoordinatorClient;
  let coordinator: RunningProcess;
  let keyFile: string;
  let firstEnds = 0;

  before(async () => {
    drill = stack.use(
      await startDrillSite({
        nodes: [{ name: 'web-1', type: 'web' }],
        workflows: { gated: drillStep('gated', '', '60s'), quick: drillStep('mark') },
        tokens: TTL,
        server: startAuthorizingServer,
        coordinatorToken: (key) =>
          signTemporalToken(key, {
            subject: 'fettle-coordinator',
            permissions: ADMIN,
            expires: new Date((firstEnds = Date.now() + COORDINATOR_MS)),
            now: Date.now(),
          }),
        onLine: (role, line) => {
          if (role === 'web-1') lines.push(line);
        },
      }),
    );
    const { site } = drill;
    keyFile = site.tokenKeys?.key ?? '';
    // Temporal takes the keys from the coordinator, and the coordinator needs what setup makes: each waits for the other.
    const [started] = await Promise.all([
      site.startCoordinator(),
      eventually(() => site.setUp().then(() => true), { what: 'setup', timeoutMs: 60_000, everyMs: 1_000 }),
    ]);
    coordinator = started.process;
    client = await drill.client(started.address);
    const own = path.join(path.dirname(keyFile), 'coordinator.token');
    await writeFile(own, await sign(keyFile, ADMIN, 6 * HOUR_MS));
    site.startAgent('web-1');
    await eventually(async () => (await client.nodes())[0]?.alive, { what: 'the agent', timeoutMs: 60_000 });
  });
  after(() => stack.disposeAsync());

  const connected = async <T>(apiKey: string | null, use: (connection: Connection) => Promise<T>): Promise<T> => {
    const { address } = drill.site.temporal;
    const connection = Connection.lazy({ address, tls: false, ...(apiKey === null ? {} : { apiKey }) });
    try {
      return await connection.withDeadline(Date.now() + 10_000, () => use(connection));
    } finally {
      await connection.close();
    }
  };
  const look = (apiKey: string | null, namespace: string): Promise<unknown> =>
    connected(apiKey, (connection) => connection.workflowService.countWorkflowExecutions({ namespace }));
  const sign = (key: string, permissions: readonly string[], lifeMs: number): Promise<string> =>
    signTemporalToken(key, { subject: 'x', permissions, expires: new Date(Date.now() + lifeMs), now: Date.now() });
  /** As whoever has copied the host's certificate and key. */
  const thief = async (node = 'web-1'): Promise<GivenToken> => {
    const svid = await drill.site.pki.issue(`/agent/dc1/web/${node}`, { name: `thief-${randomUUID()}` });
    await using identity = await openSvidSource(svid.identity, { log: pino({ level: 'silent' }) });
    const { address } = drill.site;
    const { signal } = new AbortController();
    return requestToken({
      address,
      coordinator: parseSpiffeId(COORDINATOR_ID),
      identity,
      machineId: await ownMachine(),
      signal,
    });
  };
  const ownMachine = async (): Promise<string> => (await client.nodes())[0]?.machine?.id ?? '';
  const ended = async (id: string): Promise<ApiExecutionDetail> =>
    eventually(
      async () => {
        const found = await client.getExecution(id);
        return found.state === 'running' ? null : found;
      },
      { what: `the end of ${id}`, timeoutMs: 120_000 },
    );
  const ask = async (workflow: string, args: Record<string, string> = {}): Promise<string> => {
    const decision = await client.request({ workflow, target: { node: 'web-1' }, args });
    assert.ok(decision.decision === 'admitted', JSON.stringify(decision));
    return decision.execution;
  };

  test('a real request heals end to end', async () => {
    const { outcome, message } = await ended(await ask('quick', { mark: 'first' }));
    assert.equal(outcome, 'healed', message ?? '');
    assert.deepEqual(await drill.marks('first'), ['done']);
  });

  test('nobody gets in without a credential', async () => {
    for (const namespace of ['fettle', 'fettle-agents']) await assert.rejects(look(null, namespace), denied, namespace);
  });

  test("an agent's credential opens the agents' namespace", async () => {
    const { token } = await thief();
    await look(token, 'fettle-agents');
    await connected(token, ({ workflowService }) =>
      workflowService.describeTaskQueue({ namespace: 'fettle-agents', taskQueue: { name: 'dc1/node/web-1' }, ...kind }),
    );
  });

  for (const [what, attempt] of Object.entries(FORBIDDEN))
    test(`an agent's credential cannot ${what}`, async () => {
      const { token } = await thief();
      await assert.rejects(
        connected(token, (connection) => attempt(connection.workflowService, connection)),
        denied,
      );
    });

  test('credentials that have run out, of a foreign key, or altered, open nothing', async () => {
    const foreign = await makeTokenKey(path.join(drill.site.dir, 'foreign'));
    const good = await sign(keyFile, AGENT, HOUR_MS);
    await look(good, 'fettle-agents');
    const [head = '', body = '', signature = ''] = good.split('.');
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
    const raised = Buffer.from(JSON.stringify({ ...claims, permissions: ADMIN })).toString('base64url');
    const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT' })).toString('base64url');
    const bad: Record<string, string> = {
      'run out': await sign(keyFile, AGENT, -60_000),
      'of a foreign key': await sign(foreign.privateKey, ADMIN, HOUR_MS),
      'with other permissions': `${head}.${raised}.${signature}`,
      'without a signature': `${none}.${raised}.`,
    };
    for (const [what, token] of Object.entries(bad))
      for (const namespace of ['fettle', 'fettle-agents']) await assert.rejects(look(token, namespace), Error, what);
  });

  test('doctor, on a host of either role, sees the wall stand', async () => {
    const doctor = async (role: string): Promise<string> => {
      const { code, stdout } = await runProcess(drill.site.fettle('doctor', '--config', drill.site.configFile(role)));
      assert.equal(code, 0, stdout);
      return stdout;
    };
    for (const role of ['coordinator-c1', 'agent-web-1']) {
      const said = await doctor(role);
      assert.match(said, /ok +wall .*lets nobody into namespace fettle without a credential/, role);
      assert.match(said, /ok +wall .*an agent's token opens nothing in namespace fettle/, role);
      assert.match(said, /ok +wall .*an agent's token opens namespace fettle-agents/, role);
    }
  });

  test('credentials are renewed while an action runs, and no Worker is dropped', async () => {
    const before = lines.length;
    const id = await ask('gated', { mark: 'long' });
    await eventually(async () => (await drill.marks('long')).length > 0, { what: 'the action to begin' });
    const since = Date.now();
    await eventually(() => Date.now() - since > 2.2 * TTL_MS, { what: 'two lives of a token', timeoutMs: 60_000 });
    await drill.open('long');
    const { outcome, steps, message } = await ended(id);
    assert.equal(outcome, 'healed', message ?? '');
    assert.deepEqual(
      steps.map(({ attempt }) => attempt),
      [1],
    );
    assert.deepEqual(await drill.marks('long'), ['begun', 'ended']);
    const said = lines.slice(before).filter((line) => /away|connected to Temporal|no token/.test(line));
    assert.deepEqual(said, []);
  });

  test('coordinators go on with the token that took the place of their first one', async () => {
    await eventually(() => Date.now() > firstEnds, { what: 'the end of the first', timeoutMs: COORDINATOR_MS });
    assert.equal((await ended(await ask('quick', { mark: 'renewed' }))).outcome, 'healed');
  });

  test('an agent outlives the loss of all coordinators, also beyond its token, and comes back by itself', async () => {
    const { site } = drill;
    const before = lines.length;
    await coordinator.stop();
    const away = (line: string): boolean => line.includes('no coordinator has given a token');
    await eventually(() => lines.slice(before).some(away), { what: 'the token to run out', timeoutMs: 60_000 });
    assert.equal(site.agent('web-1').exit(), null);
    const back = lines.length;
    coordinator = (await site.startCoordinator()).process;
    const connectedAgain = (line: string): boolean => line.includes('connected to Temporal');
    await eventually(() => lines.slice(back).some(connectedAgain), { what: 'the agent to be back', timeoutMs: 90_000 });
    assert.equal((await ended(await ask('quick', { mark: 'after' }))).outcome, 'healed');
  });

  test("a node that is shut out loses its access within its token's life, and gets no other", async () => {
    const last = await thief();
    const before = lines.length;
    const { code, stderr } = await runProcess(
      drill.site.fettle('nodes', 'revoke', 'web-1', '--reason', 'its key was copied'),
      { env: await drill.site.environment() },
    );
    assert.equal(code, 0, stderr);
    const shut = Date.now();
    await assert.rejects(thief(), { code: 'node_revoked' });
    const refused = async (): Promise<boolean> => look(last.token, 'fettle-agents').then(() => false, denied);
    await eventually(refused, { what: 'the last token to end', timeoutMs: 60_000, everyMs: 500 });
    assert.ok(Date.now() - shut < TTL_MS + 10_000);
    const out = (line: string): boolean => line.includes('no coordinator has given a token');
    await eventually(() => lines.slice(before).some(out), { what: 'the agent', timeoutMs: 60_000 });
    const restored = await runProcess(drill.site.fettle('nodes', 'restore', 'web-1', '--reason', 'new key'), {
      env: await drill.site.environment(),
    });
    assert.equal(restored.code, 0, restored.stderr);
    const back = lines.length;
    const again = (line: string): boolean => line.includes('connected to Temporal');
    await eventually(() => lines.slice(back).some(again), { what: 'the agent to be back', timeoutMs: 180_000 });
    assert.equal((await ended(await ask('quick', { mark: 'restored' }))).outcome, 'healed');
  });
});
