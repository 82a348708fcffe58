import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import type { Answer, FleetReport, LimitRef, Operation } from '../../workflows/gate/operations.ts';
import { MAX_OPERATION_BYTES } from '../../workflows/gate/operations.ts';
import { eventually } from '../../test/support/processes.ts';
import type { FleetNode } from '../fleet.ts';
import { contentOf, fleetReports, reportFleet } from './fleet-report.ts';

const NOW = 1_700_000_000_000;
const node = (name: string, alive: boolean, more: Partial<FleetNode> = {}): FleetNode => ({
  node: name,
  nodeType: 'web',
  datacenter: 'dc1',
  labels: {},
  inInventory: true,
  lastSeen: null,
  alive,
  ...more,
});
const floor: LimitRef = { k: 'u', v: 1, p: 0, s: 'node_type' };

describe('a report of the fleet', () => {
  it('counts under each scope, and names who is down', () => {
    const nodes = [node('b', false), node('a', true, { labels: { rack: 'r1' } }), node('c', false, { nodeType: 'db' })];
    assert.deepEqual(contentOf(nodes, ['rack']), {
      tot: [
        ['c:dc1', 3, 2],
        ['g', 3, 2],
        ['l:rack=', 2, 2],
        ['l:rack=r1', 1, 0],
        ['y:db', 1, 1],
        ['y:web', 2, 1],
      ],
      dn: ['b', 'c'],
    });
  });

  it('comes whole in parts that an operation may hold, whatever the names', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9._-]{1,128}$/);
    const fleet = fc.array(fc.tuple(name, fc.boolean(), name, name), { maxLength: 60 });
    fc.assert(
      fc.property(fleet, name, (drawn, reporter) => {
        const nodes = drawn.map(([one, alive, nodeType, datacenter]) => node(one, alive, { nodeType, datacenter }));
        const content = contentOf(nodes, []);
        const parts = fleetReports(content, reporter, NOW, NOW);
        for (const part of parts) assert.ok(JSON.stringify(part).length <= MAX_OPERATION_BYTES);
        assert.deepEqual(
          parts.flatMap((part) => part.tot ?? []),
          content.tot,
        );
        assert.deepEqual(
          parts.flatMap((part) => part.dn ?? []),
          content.dn,
        );
        assert.deepEqual(
          parts.map(({ i, of }) => [i, of]),
          parts.map((_, index) => [index, parts.length]),
        );
      }),
    );
  });

  it('names a thousand at most, and counts them all', () => {
    const content = contentOf(
      Array.from({ length: 1_500 }, (_, index) => node(`n${index}`, false)),
      [],
    );
    assert.equal(content.dn.length, 1_000);
    assert.deepEqual(
      content.tot.find(([key]) => key === 'g'),
      ['g', 1_500, 1_500],
    );
  });
});

describe('reporting', () => {
  const reports = (
    answer: (report: FleetReport) => Answer,
    standing: () => readonly FleetNode[] | null,
    limits = [floor],
  ) => {
    const said: FleetReport[] = [];
    const stop = reportFleet({
      name: 'c1',
      gate: {
        submit: (operation: Operation) => {
          said.push(operation as FleetReport);
          return Promise.resolve(answer(operation as FleetReport));
        },
      },
      fleet: { standing: () => Promise.resolve(standing()) },
      limits: () => limits,
      log: pino({ level: 'silent' }),
      everyMs: 5,
    });
    return { said, stop };
  };
  const ok: Answer = { a: 'ok' };

  it('says all once, then only that nothing changed, and all again when something did', async () => {
    let nodes = [node('a', true)];
    const { said, stop } = reports(
      () => ok,
      () => nodes,
    );
    try {
      await eventually(() => said.length >= 3, { what: 'three reports' });
      nodes = [node('a', false)];
      await eventually(() => said.filter((one) => one.i !== undefined).length >= 2, { what: 'a second whole report' });
    } finally {
      stop();
    }
    const [first, second] = said;
    assert.ok(first?.i === 0 && second?.i === undefined && second?.v === first.v);
    const whole = said.filter((one) => one.i !== undefined);
    assert.deepEqual(whole[1]?.dn, ['a']);
    assert.ok((whole[1]?.v ?? 0) > first.v);
  });

  it('says all again to a gate that does not know its version', async () => {
    const { said, stop } = reports(
      (one) => (one.i === undefined ? { a: 'unknown_fleet' } : ok),
      () => [node('a', true)],
    );
    try {
      await eventually(() => said.filter((one) => one.i !== undefined).length >= 2, { what: 'two whole reports' });
    } finally {
      stop();
    }
  });

  it('says nothing while nobody can tell who is up, and nothing without a health floor', async () => {
    let looked = 0;
    const blind = reports(
      () => ok,
      () => ((looked += 1), null),
    );
    const unasked = reports(
      () => ok,
      () => [node('a', true)],
      [],
    );
    try {
      await eventually(() => looked >= 3, { what: 'three looks' });
    } finally {
      blind.stop();
      unasked.stop();
    }
    assert.deepEqual([...blind.said, ...unasked.said], []);
  });
});
