import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PrometheusSourceConfig } from '../config/connections.ts';
import { openSourcePool } from './source-pool.ts';

const config = (name: string, timeoutMs = 1_000): PrometheusSourceConfig => ({
  kind: 'prometheus',
  name,
  url: 'http://127.0.0.1:9',
  headers: {},
  parameters: {},
  auth: { kind: 'none' },
  tls: null,
  timeoutMs,
  maxBytes: 1_000,
});

test('a reload keeps what is as it was, and makes what changed anew', () => {
  const pool = openSourcePool([config('a'), config('b'), config('c')]);
  const [a, b] = [pool.get('prometheus.a'), pool.get('prometheus.b')];
  pool.update([config('a'), config('b', 2_000), config('d')]);
  assert.equal(pool.get('prometheus.a'), a);
  assert.notEqual(pool.get('prometheus.b'), b);
  assert.equal(pool.get('prometheus.b')?.address, 'prometheus.b');
  assert.equal(pool.get('prometheus.c'), undefined);
  assert(pool.get('prometheus.d') !== undefined);
  pool.close();
  assert.equal(pool.get('prometheus.a'), undefined);
});
