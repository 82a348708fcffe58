import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type FleetNode, renewing } from './fleet.ts';

const NOW = 10_000_000;
const MINUTE = 60_000;
const node = (name: string, alive: boolean): FleetNode => ({
  node: name,
  nodeType: 'web',
  datacenter: 'dc1',
  labels: {},
  inInventory: true,
  lastSeen: alive ? NOW : null,
  alive,
});
const nodes = [node('a', true), node('b', true), node('c', false)];
const at = (renewed: Readonly<Record<string, number>>) => (place: { node: string }) => renewed[place.node] ?? null;
const up = (found: FleetNode[] | null): string[] | null =>
  found?.filter(({ alive }) => alive).map((one) => one.node) ?? null;

describe('where tokens are given', () => {
  const long = NOW - 60 * MINUTE;
  test('a node is up only if it beats and has renewed its token within five minutes', () => {
    const renewed = at({ a: NOW - 4 * MINUTE, b: NOW - 6 * MINUTE, c: NOW - MINUTE });
    assert.deepEqual(up(renewing(nodes, renewed, long, NOW)), ['a']);
  });
  test('beats alone are not enough', () => assert.deepEqual(up(renewing(nodes, at({}), long, NOW)), []));
  test('a coordinator that has just started cannot tell before it has heard of all that beat', () => {
    const young = NOW - MINUTE;
    assert.equal(renewing(nodes, at({ a: NOW }), young, NOW), null);
    assert.deepEqual(up(renewing(nodes, at({ a: NOW, b: NOW }), young, NOW)), ['a', 'b']);
    assert.deepEqual(up(renewing(nodes, at({ a: NOW }), NOW - 3 * MINUTE, NOW)), ['a']);
  });
});
