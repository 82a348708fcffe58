import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { GateDriver, leaseOf, node } from '../../test/support/gate-driver.ts';
import type { LimitRef } from '../../workflows/gate/operations.ts';
import { explain, summarizeGate } from '../../workflows/gate/summary.ts';
import type { FleetNode } from '../fleet.ts';
import { serveGateMetrics } from './gate-metrics.ts';

const limit = (more: Partial<LimitRef>): LimitRef => ({ k: 'c', v: 2, p: 0, s: 'global', ...more });
const fleetNode = (name: string, nodeType: string, rack: string): FleetNode => ({
  node: name,
  nodeType,
  datacenter: 'dc1',
  labels: { rack },
  inInventory: true,
  lastSeen: null,
  alive: true,
});

function watched(driver: GateDriver, { strays = [] as [] | null, refreshMs = 0 } = {}) {
  const registry = new Registry();
  const asked = { summary: 0, explain: 0, away: false };
  serveGateMetrics(registry, {
    gate: {
      summary: () => {
        asked.summary += 1;
        return asked.away ? Promise.reject(new Error('away')) : Promise.resolve(summarizeGate(driver.state, 7));
      },
      explain: (workflow, target) => {
        asked.explain += 1;
        return Promise.resolve(explain(driver.state, workflow, target));
      },
    },
    fleet: {
      view: () =>
        Promise.resolve({
          state: 'ready' as const,
          nodes: new Map([
            ['web-1', [fleetNode('web-1', 'web', 'r1')]],
            ['db-1', [fleetNode('db-1', 'db', 'r2')]],
          ]),
        }),
    },
    workersRunning: () => true,
    strays: () => strays,
    log: pino({ level: 'silent' }),
    refreshMs,
  });
  return { asked, scrape: () => registry.metrics() };
}

describe('metrics of the gate', () => {
  it('say what it holds, what stands, and what is left of each limit that is not for one target alone', async () => {
    const driver = new GateDriver();
    driver.announce('restart', [
      limit({ v: 3 }),
      limit({ s: 'node_type' }),
      limit({ s: 'label:rack', v: 1 }),
      limit({ s: 'node', v: 1 }),
      limit({ g: 'reboots', v: 5 }),
    ]);
    driver.announce('reboot', [limit({ g: 'reboots', v: 5 })]);
    leaseOf(driver.ask('restart', node('web-1', { l: { rack: 'r1' } })));
    driver.apply({ op: 'pause', id: 'p-1', at: driver.now, sc: { k: 'n', v: 'db-1' }, by: 'ann', why: 'repair' });
    driver.advance(90_000);
    const { scrape } = watched(driver);
    const text = await scrape();
    for (const line of [
      'fettle_gate_up 1',
      'fettle_gate_leases 1',
      'fettle_gate_pauses 1',
      'fettle_gate_paused_seconds 90',
      'fettle_gate_quarantined 0',
      'fettle_gate_breakers_open{workflow="restart"} 0',
      'fettle_coordinator_ready 1',
      'fettle_coordinator_stray_executions 0',
      'fettle_gate_limit_free{workflow="restart",limit="concurrency",scope="global",of=""} 2',
      'fettle_gate_limit_free{workflow="restart",limit="concurrency",scope="node_type",of="web"} 1',
      'fettle_gate_limit_free{workflow="restart",limit="concurrency",scope="node_type",of="db"} 2',
      'fettle_gate_limit_free{workflow="restart",limit="concurrency",scope="label:rack",of="r1"} 0',
      'fettle_gate_limit_free{workflow="restart",limit="concurrency",scope="label:rack",of="r2"} 1',
      'fettle_gate_limit_free{workflow="",limit="reboots",scope="global",of=""} 4',
      'fettle_gate_limit_allowed{workflow="",limit="reboots",scope="global",of=""} 5',
    ])
      assert.ok(text.split('\n').includes(line), `${line}\nis not in\n${text}`);
    assert.ok(!/limit_free\{[^}]*scope="node",/.test(text), 'a limit of one node is not a metric');
    assert.ok(!/^fettle_gate_fleet_report_age_seconds /m.test(text), 'no report, no age');
  });

  it('have no value while the gate does not answer, and say so', async () => {
    const driver = new GateDriver();
    driver.announce('restart', [limit({})]);
    const { asked, scrape } = watched(driver, { strays: null });
    assert.match(await scrape(), /^fettle_gate_leases 0$/m);
    asked.away = true;
    const text = await scrape();
    assert.match(text, /^fettle_gate_up 0$/m);
    assert.match(text, /^fettle_coordinator_ready 0$/m);
    assert.doesNotMatch(text, /^fettle_gate_(?!up)\w+(\{.*\})? \d/m);
    assert.doesNotMatch(text, /^fettle_coordinator_stray_executions \d/m);
    asked.away = false;
    assert.match(await scrape(), /^fettle_gate_leases 0$/m);
  });

  it('are asked for once, however many of them a scrape shows', async () => {
    const driver = new GateDriver();
    driver.announce('restart', [limit({ s: 'node_type' }), limit({ s: 'label:rack' })]);
    const { asked, scrape } = watched(driver, { refreshMs: 60_000 });
    await Promise.all([scrape(), scrape()]);
    await scrape();
    assert.deepEqual([asked.summary, asked.explain], [1, 2]);
  });
});
