import { openHouse } from './house.ts';
import * as weather from './weather.ts';
import * as papers from './papers.ts';
import * as attacks from './attacks.ts';
const t0 = performance.now();
const say = (l: string) => console.log(((performance.now() - t0) / 1000).toFixed(1), l);
const only = process.argv.slice(3);
await using house = await openHouse({ helper: process.argv[2] === 'helper', random: Math.random, say });
const guest = await house.guest('web-1', {
  disks: weather.STATE_DISK,
  ...(only.includes('stepClock') ? { environment: weather.FAKED_CLOCK } : {}),
});
say('guest');
const go = async (name: string, f: () => Promise<unknown>) => {
  if (only.length && !only.includes(name)) return;
  say(name);
  try {
    const r = await f();
    say('');
    console.log(r);
  } catch (e) {
    console.log(name, 'THREW', e);
    console.log((await guest.host.journal('fettle-agent.service')).slice(-3000));
  }
};
await go('one', async () => { const e = await house.ask('web-1','one',0.3); console.log(await house.trial({execution:e, mark:'one', point:'p', guests:[guest]})); console.log(JSON.stringify((await house.client.getExecution(e)).steps)); console.log((await guest.host.journal()).split('\n').filter(l=>!/No workflows/.test(l)).slice(-40).join('\n')); });
await go('kills', async () => { const {killAgent, killHelper, cutPower} = await import('./kills.ts'); console.log(await killAgent(house,[guest],3)); console.log(await killHelper(house,[guest],2)); console.log(await cutPower(house,[guest],1)); });
await go('cutNetwork', () => weather.cutNetwork(house, guest));
await go('fillDisk', () => weather.fillDisk(house, guest));
await go('stepClock', () => weather.stepClock(house, guest));
await go('expireCertificate', () => papers.expireCertificate(house, guest));
await go('breakConfig', () => papers.breakConfig(house, guest));
await go('sendOrders', () => attacks.sendOrders(house, guest));
await go('replayOrders', () => attacks.replayOrders(house, guest));
await go('forgeReceipts', () => attacks.forgeReceipts(house, guest));
await go('stopTemporal', () => weather.stopTemporal(house, guest, 60));
if (only.includes('twins'))
  await go('twins', async () =>
    papers.twoOfOneName(house, guest, await house.guest('web-1', { machine: 'web-1-clone' }), 9),
  );
say('end');
