import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installAgent, PROGRAM } from './booted-agent.ts';
import { bootHost, hostsLeftOut } from './booted-host.ts';
import { COORDINATOR_ID, makeSite } from './site.ts';
import { eventually } from './processes.ts';

test('an agent installed on a booted host takes an order', { skip: hostsLeftOut() ?? false }, async () => {
  const place = { datacenter: 'dc1', nodeType: 'web', node: 'web-1' };
  await using site = await makeSite({ nodes: [{ name: 'web-1', type: 'web' }], workflows: {} });
  await using host = await bootHost({ name: 'web-1', bind: PROGRAM });
  const { pki, temporal } = site;
  const agent = await installAgent(host, { pki, place, issuer: COORDINATOR_ID, temporal: temporal.address });
  await site.setUp();
  await site.startCoordinator();
  await agent.start();
  await using client = await site.client();
  const decision = await client.request({ workflow: 'site-ping', target: { node: 'web-1' } });
  assert(decision.decision === 'admitted');
  const outcome = async () => (await client.getExecution(decision.execution)).outcome;
  await eventually(outcome, { what: 'the end', timeoutMs: 30_000, everyMs: 100 });
  assert.equal(await outcome(), 'healed');
});
