/** The gate's own speed: decisions per second of its reducer, the size of its snapshot, and how long its history takes to replay. */
import { GateDriver, leaseOf, node } from '../test/support/gate-driver.ts';
import type { LeaseRef, LimitRef } from '../workflows/gate/operations.ts';
import { toSnapshot } from '../workflows/gate/snapshot.ts';
import type { Bench } from './bench-run.ts';
import { measureReplay, type Replay } from './gate-replay.ts';
import { hundredths } from './percentiles.ts';

/** As many as a gate holds. */
const LIVE = 10_000;
/** As many as share one Update under load. */
const BATCH = 200;
/** Room for one batch more. */
const BUSY = LIVE - BATCH;
const WORKFLOW = 'restart-service';
const LIMITS: readonly LimitRef[] = [
  { k: 'c', v: 1, p: 0, s: 'target' },
  { k: 'c', v: 2 * LIVE, p: 0, s: 'datacenter' },
  { k: 'm', v: 1_000_000, p: 3_600_000, s: 'global' },
];
/** An answer is kept ten minutes; after eleven only the leases are left. */
const FORGOTTEN_MS = 11 * 60_000;

export const reducerBench: Bench = async ({ quick, say }) => {
  const seconds = quick ? 0.3 : 3;
  say('asks with three limits, no live leases');
  const empty = asksPerSecond(0, seconds);
  say(`asks with three limits, ${BUSY} live leases`);
  const full = asksPerSecond(BUSY, seconds);
  const snapshot = snapshotSizes();
  say('replay: driving a gate on a development server until it continues as new');
  const replays = await measureReplay({ quick, say });
  return report(empty, full, snapshot, replays);
};

function withLeases(live: number): GateDriver {
  const driver = new GateDriver();
  driver.announce(WORKFLOW, LIMITS);
  for (let i = 0; i < live; i += 1) leaseOf(driver.ask(WORKFLOW, node(`host-${i}`), { p: planOf(i) }));
  return driver;
}

/** As long as a real plan's digest. */
const planOf = (i: number): string => `plan-${i}`.padEnd(22, 'x');

/** Only asks are timed; what they admitted is released between batches, so the number of leases stays. */
function asksPerSecond(live: number, seconds: number): number {
  const driver = withLeases(live);
  let asked = 0;
  let ms = 0;
  for (let batch = 0; ms < seconds * 1000; batch += 1) {
    const leases: LeaseRef[] = [];
    const began = performance.now();
    for (let i = 0; i < BATCH; i += 1) leases.push(leaseOf(driver.ask(WORKFLOW, node(`new-${i}`), { p: planOf(i) })));
    const took = performance.now() - began;
    for (const lease of leases) driver.release(lease);
    driver.advance(20);
    if (driver.now % 60_000 < 20) driver.announce(WORKFLOW, LIMITS);
    // The first batches run before the code is compiled.
    if (batch < 20) continue;
    asked += BATCH;
    ms += took;
  }
  return Math.round((asked * 1000) / ms);
}

type SnapshotSizes = { readonly withAnswers: number; readonly leasesOnly: number };

/** Bytes of JSON. */
function snapshotSizes(): SnapshotSizes {
  const driver = withLeases(LIVE);
  const size = (): number => Buffer.byteLength(JSON.stringify(toSnapshot(driver.state)));
  const withAnswers = size();
  driver.advance(FORGOTTEN_MS);
  return { withAnswers, leasesOnly: size() };
}

function report(empty: number, full: number, snapshot: SnapshotSizes, replays: readonly Replay[]) {
  const json = {
    asks_per_s: empty,
    [`asks_per_s_${BUSY}_leases`]: full,
    [`ratio_${BUSY}_leases`]: hundredths(full / empty),
    snapshot_bytes_10000_leases: snapshot.leasesOnly,
    snapshot_bytes_10000_leases_and_answers: snapshot.withAnswers,
    replays: replays.map(({ perUpdate, events, operations, ms }) => ({
      per_update: perUpdate,
      events,
      operations,
      ms,
    })),
    worst_replay_ms: Math.max(...replays.map((one) => one.ms)),
  };
  const speed = {
    title: 'the pure reducer: asks with three limits, all admitted',
    header: ['', 'per second'],
    rows: [
      ['no live leases', empty],
      [`${BUSY} live leases`, full],
    ],
  };
  const size = {
    title: `snapshot with ${LIVE} leases, bytes of JSON (reach: 1 MiB = 1048576)`,
    header: ['', 'bytes'],
    rows: [
      ['leases alone', snapshot.leasesOnly],
      ['and the answers of the last ten minutes', snapshot.withAnswers],
    ],
  };
  const replay = {
    title: "full replay of a gate's history as it continues as new, milliseconds, median (reach: 500)",
    header: ['operations per Update', 'events', 'operations', 'ms', 'CPU ms'],
    rows: replays.map((one) => [one.perUpdate, one.events, one.operations, one.ms, one.cpuMs]),
  };
  return { name: 'reducer', json, tables: [speed, size, replay], notes: [] };
}
