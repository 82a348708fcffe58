import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import type { AccessConfig, Verb } from '../../config/coordinator.ts';
import { parseSpiffeId } from '../../config/spiffe-id.ts';
import { GateDriver, leaseOf, node } from '../../test/support/gate-driver.ts';
import { summarizeGate, summarizeLease } from '../../workflows/gate/summary.ts';
import type { FleetNode, FleetView } from '../fleet.ts';
import { ApiFailure, type Caller } from '../service.ts';
import { createStop } from './stop.ts';

const ANN: Caller = { kind: 'identified', id: parseSpiffeId('spiffe://example.com/person/ann') };
const fleetNode = (name: string, nodeType: string, datacenter = 'dc1'): [string, FleetNode[]] => [
  name,
  [{ node: name, nodeType, datacenter, labels: {}, inInventory: true, lastSeen: null, alive: true }],
];
const VIEW: FleetView = { state: 'ready', nodes: new Map([fleetNode('web-1', 'web'), fleetNode('db-1', 'db', 'dc2')]) };
const place = { file: 'acl.hcl', line: 1, column: 1 };
const OPEN: AccessConfig = { routeRules: [], workflowRules: [], sourceRules: [] };
const allowed = (workflows: string[], nodeTypes: string[], verbs: Verb[] = ['pause']): AccessConfig => ({
  ...OPEN,
  workflowRules: [
    { place, name: 'r', workflows, nodeTypes, uris: [ANN.kind === 'identified' ? ANN.id.text : ''], verbs },
  ],
});

function stopOver(driver: GateDriver, access = OPEN, view = VIEW) {
  let nudged = 0;
  const stop = createStop({
    gate: {
      submit: (operation) => Promise.resolve(driver.apply({ ...operation, at: driver.now })),
      summary: () => Promise.resolve(summarizeGate(driver.state, 1)),
      leases: () => Promise.resolve([...driver.state.leases.values()].map(summarizeLease)),
    },
    fleet: { view: () => Promise.resolve(view) },
    access: () => access,
    workflowNames: () => ['restart'],
    lookAgain: () => {
      nudged += 1;
      return Promise.reject(new Error('away'));
    },
    log: pino({ level: 'silent' }),
  });
  return { stop, nudged: () => nudged };
}

const refused = (status: number, code: string) => (error: unknown) =>
  error instanceof ApiFailure && error.status === status && error.code === code;

describe('pauses', () => {
  it('say what may still begin in their scope, and leave out what lies beyond it', async () => {
    const driver = new GateDriver();
    driver.announce('restart', []);
    const web = leaseOf(driver.ask('restart', node('web-1')));
    const db = leaseOf(driver.ask('restart', node('db-1', { y: 'db', c: 'dc2' })));
    driver.permit(web, 's');
    driver.permit(db, 's', { n: 'db-1' });
    const { stop } = stopOver(driver);
    const paused = await stop.pause(ANN, { scope: { node_type: 'db' }, reason: 'r' });
    assert.deepEqual(
      paused.outstanding.map(({ execution }) => execution.split(':').slice(0, 2).join(':')),
      ['restart:db-1'],
    );
    assert.equal((await stop.pause(ANN, { scope: { everything: true }, reason: 'r' })).outstanding.length, 2);
  });

  it('asked for twice under one request id are one', async () => {
    const driver = new GateDriver();
    const { stop } = stopOver(driver);
    const wish = { scope: { everything: true as const }, reason: 'r', request_id: 'x' };
    const [one, two] = [await stop.pause(ANN, wish), await stop.pause(ANN, wish)];
    assert.equal(one.id, two.id);
    assert.equal(driver.state.pauses.size, 1);
    assert.notEqual((await stop.pause(ANN, { ...wish, request_id: 'y' })).id, one.id);
  });

  it('of what does not exist are refused with what does, unless forced; while the fleet is unknown nobody can tell', async () => {
    const driver = new GateDriver();
    const { stop } = stopOver(driver);
    for (const scope of [{ node: 'web-9' }, { node_type: 'wbe' }, { datacenter: 'dc9' }, { workflow: 'restrat' }]) {
      await assert.rejects(stop.pause(ANN, { scope, reason: 'r' }), refused(404, 'unknown_scope'));
      await stop.pause(ANN, { scope, reason: 'r', force: true });
    }
    assert.equal(driver.state.pauses.size, 4);
    const young = stopOver(driver, OPEN, { state: 'warming_up', nodes: new Map() });
    await assert.rejects(
      young.stop.pause(ANN, { scope: { node: 'web-1' }, reason: 'r' }),
      refused(503, 'fleet_not_ready'),
    );
  });

  it('need the verb for all that they cover', async () => {
    const driver = new GateDriver();
    const webOnly = stopOver(driver, allowed(['*'], ['web'])).stop;
    await webOnly.pause(ANN, { scope: { node_type: 'web' }, reason: 'r' });
    await webOnly.pause(ANN, { scope: { node: 'web-1' }, reason: 'r' });
    for (const scope of [{ node: 'db-1' }, { node_type: 'db' }, { datacenter: 'dc1' }, { everything: true as const }])
      await assert.rejects(webOnly.pause(ANN, { scope, reason: 'r' }), refused(403, 'not_allowed'));
    await assert.rejects(
      webOnly.pause(ANN, { scope: { node: 'unheard-of' }, reason: 'r', force: true }),
      refused(403, 'not_allowed'),
      'a node of unknown type could be any',
    );
    const one = stopOver(driver, allowed(['restart'], ['*'])).stop;
    await one.pause(ANN, { scope: { workflow: 'restart' }, reason: 'r' });
    await assert.rejects(one.pause(ANN, { scope: { node: 'web-1' }, reason: 'r' }), refused(403, 'not_allowed'));
    const runner = stopOver(driver, allowed(['*'], ['*'], ['run', 'cancel', 'approve'])).stop;
    await assert.rejects(runner.pause(ANN, { scope: { everything: true }, reason: 'r' }), refused(403, 'not_allowed'));
    const anonymous: Caller = { kind: 'anonymous' };
    await assert.rejects(
      stopOver(driver).stop.pause(anonymous, { scope: { everything: true }, reason: 'r' }),
      refused(403, 'not_allowed'),
    );
  });
});

describe('resuming', () => {
  it('lifts the pause that is named, calls what waits, and does not fail because that could not be called', async () => {
    const driver = new GateDriver();
    const { stop, nudged } = stopOver(driver);
    const { id } = await stop.pause(ANN, { scope: { everything: true }, reason: 'r' });
    await assert.rejects(stop.resume(ANN, { id: 'p-0', reason: 'r' }), refused(404, 'unknown_pause'));
    assert.equal((await stop.resume(ANN, { id, reason: 'r' })).what, 'pause');
    assert.equal(driver.state.pauses.size, 0);
    assert.equal(nudged(), 1);
  });

  it('closes a breaker, for whom may pause its workflow', async () => {
    const driver = new GateDriver();
    driver.announce('restart', [{ k: 'i', v: 2, p: 0, s: 'node' }]);
    for (let round = 0; round < 2; round += 1) {
      const lease = leaseOf(driver.ask('restart', node('web-1')));
      driver.permit(lease, 's');
      driver.result(lease, 's', 'failed');
      driver.release(lease, 'failed');
    }
    const [breaker] = summarizeGate(driver.state, 1).breakers;
    assert.ok(breaker, 'the breaker is open');
    await assert.rejects(
      stopOver(driver, allowed(['restart'], ['db'])).stop.resume(ANN, { id: breaker.id, reason: 'r' }),
      refused(403, 'not_allowed'),
    );
    const resumed = await stopOver(driver, allowed(['restart'], ['web'])).stop.resume(ANN, {
      id: breaker.id,
      reason: 'r',
    });
    assert.equal(resumed.what, 'breaker');
    assert.deepEqual(summarizeGate(driver.state, 1).breakers, []);
  });
});

describe('windows', () => {
  const until = (driver: GateDriver): string => new Date(Math.max(Date.now(), driver.now) + 3_600_000).toISOString();

  it('are added and taken away by people; those of files stay', async () => {
    const driver = new GateDriver();
    driver.advance(Date.now() - driver.now);
    const { stop } = stopOver(driver);
    const added = await stop.addWindow(ANN, { scope: { node_types: ['db'] }, until: until(driver), reason: 'schema' });
    assert.deepEqual(
      (await stop.windows()).map(({ name, source }) => [name, source]),
      [[added.name, 'person']],
    );
    driver.apply({
      op: 'window',
      id: 'w1',
      at: driver.now,
      nm: 'file:nights',
      sc: {},
      f: driver.now,
      u: driver.now + 60_000,
      src: 'f',
      by: 'c1',
    });
    await assert.rejects(stop.removeWindow(ANN, 'file:nights', 'r'), refused(409, 'window_of_file'));
    await assert.rejects(stop.removeWindow(ANN, 'w-0', 'r'), refused(404, 'unknown_window'));
    await stop.removeWindow(ANN, added.name, 'r');
    assert.deepEqual(
      (await stop.windows()).map(({ name }) => name),
      ['file:nights'],
    );
  });

  it('that are over, never begin or last for years are refused', async () => {
    const { stop } = stopOver(new GateDriver());
    const scope = { nodes: ['web-1'] };
    const soon = new Date(Date.now() + 60_000).toISOString();
    for (const wish of [
      { scope, until: '2020-01-01T00:00:00Z' },
      { scope, from: soon, until: new Date(Date.now() + 30_000).toISOString() },
      { scope, until: '2099-01-01T00:00:00Z' },
    ])
      await assert.rejects(stop.addWindow(ANN, { ...wish, reason: 'r' }), refused(422, 'window'));
    await assert.rejects(
      stop.addWindow(ANN, { scope: { nodes: ['web-9'] }, until: soon, reason: 'r' }),
      refused(404, 'unknown_scope'),
    );
  });
});
