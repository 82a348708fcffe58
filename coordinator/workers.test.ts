/** Workers on a real server: they can be told to stop at any moment of their start. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { it } from 'node:test';
import { temporalAt } from '../test/support/gate-clients.ts';
import { startGateWorkers } from '../test/support/gate-workers.ts';
import { startTemporal } from '../test/support/temporal.ts';
import { setupTemporal } from './setup-temporal.ts';

it('stops its Workers, however soon after their start it is told to', { timeout: 60_000 }, async () => {
  await using server = await startTemporal();
  await setupTemporal({ ...temporalAt(server.address), domain: 'main', retentionDays: 1 });
  for (const waitMs of [0, 100]) {
    const workers = await startGateWorkers(temporalAt(server.address));
    await delay(waitMs);
    await workers.stop();
    assert.equal(workers.running(), false);
  }
});
