/** A short part of `npm run drill:agent`: the agent killed, its helper killed, the power cut, the disk full, and answers forged, on two booted hosts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomOf } from '../proof/drill/random.ts';
import { hostsLeftOut } from '../support/booted-host.ts';
import { forgeReceipts, replayOrders } from './attacks.ts';
import { bootHosts } from './all-drills.ts';
import { openHouse } from './house.ts';
import { cutPower, killAgent, killHelper } from './kills.ts';
import { fillDisk } from './weather.ts';

test('on booted hosts nothing is done twice, lost or left unexplained, and nothing forged is believed', async (t) => {
  const why = hostsLeftOut();
  if (why !== null) return t.skip(why);
  const say = (line: string): void => t.diagnostic(line);
  await using house = await openHouse({ helper: true, random: randomOf(5).next, say });
  const { web1, web2 } = await bootHosts(house);
  const struck = async () => [
    await killAgent(house, [web1], 2),
    await killHelper(house, [web1], 1),
    await cutPower(house, [web1], 1),
    await fillDisk(house, web1),
  ];
  const attacked = async () => [await replayOrders(house, web2), await forgeReceipts(house, web2)];
  const results = (await Promise.all([struck(), attacked()])).flat();
  assert.deepEqual(
    results.flatMap(({ findings }) => findings),
    [],
  );
  assert.ok(results.some(({ actions }) => actions > 0));
});
