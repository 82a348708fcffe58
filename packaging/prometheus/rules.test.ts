import assert from 'node:assert/strict';
import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { createAgentMetrics, serveStandingMetrics } from '../../agent/agent-metrics.ts';
import { coordinatorMetrics, gateGauges } from '../../coordinator/metrics.ts';
import { runProcess } from '../../test/support/processes.ts';

const HERE = import.meta.dirname;
const RULES = path.join(HERE, 'fettle.rules.yml');

/** It comes with Prometheus: beside the program that the setup found. */
async function promtool(...args: string[]): Promise<{ code: number | null; text: string }> {
  const prometheus = (process.env['PATH'] ?? '').split(path.delimiter).map((folder) => path.join(folder, 'prometheus'));
  const found = await Promise.any(prometheus.map((file) => realpath(file)));
  const { code, stdout, stderr } = await runProcess([path.join(path.dirname(found), 'promtool'), ...args], {
    cwd: HERE,
  });
  return { code, text: stdout + stderr };
}

describe('alert rules about Fettle itself', () => {
  it('are rules that Prometheus takes', async () => {
    const { code, text } = await promtool('check', 'rules', RULES);
    assert.equal(code, 0, text);
  });

  it('fire when they should, and not when all is well', async () => {
    const { code, text } = await promtool('test', 'rules', 'fettle.rules.test.yml');
    assert.equal(code, 0, text);
  });

  it('name metrics that a coordinator or an agent has', async () => {
    const registry = new Registry();
    coordinatorMetrics(registry);
    gateGauges(registry, () => Promise.resolve());
    createAgentMetrics(registry);
    serveStandingMetrics(registry, { braked: () => Promise.resolve(false), rulesRefused: () => false });
    const known = registry.getMetricsAsArray().map((metric) => metric.name);
    const text = await readFile(RULES, 'utf8');
    const named = new Set(
      [...text.matchAll(/fettle_(?:gate|coordinator|agent)_\w+/g)].map(([name]) => name.replace(/_bucket$/, '')),
    );
    assert.ok(named.size > 10);
    for (const name of named) assert.ok(known.includes(name), `${name} is no metric`);
  });

  it('each say what to do, with a command to type', async () => {
    const text = await readFile(RULES, 'utf8');
    const alerts = text.split(/^ +- alert: /m).slice(1);
    for (const alert of alerts) {
      if (alert.startsWith('FettleDeadMan')) continue;
      assert.match(alert, /summary: .*fettle [a-z]/, alert.split('\n', 1)[0]);
    }
  });
});
