/** What goes wrong around an agent that itself goes on: its network, its disk, its clock, Temporal. */
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../support/processes.ts';
import type { Guest, House } from './house.ts';
import { resultOf, type DrillResult, type Trial } from './trial.ts';

const cut = (guest: Guest): Promise<void> => guest.host.network?.cut() ?? Promise.resolve();
const mend = (guest: Guest): Promise<void> => guest.host.network?.mend() ?? Promise.resolve();

export async function cutNetwork(house: House, guest: Guest): Promise<DrillResult> {
  const node = guest.agent.place.node;
  const guests = [guest];
  const trials: Trial[] = [];
  const late = await house.ask(node, 'net-late', 9, 'brief');
  await guest.until('net-late', 'begun');
  await cut(guest);
  await guest.host.waitFor(['sh', '-c', '! pgrep -f [/]usr/local/bin/act'], { timeoutMs: 30_000 });
  await mend(guest);
  const point = 'cut when it began; 9 s of work, 3 s allowed; mended when it was gone';
  trials.push(await house.trial({ execution: late, mark: 'net-late', point, guests, actionMayDie: true }));
  const kept = await house.ask(node, 'net-kept', 2);
  await guest.until('net-kept', 'begun');
  await cut(guest);
  await guest.until('net-kept', 'ended');
  await pause(12_000);
  await mend(guest);
  const kept_ = 'cut when it began, mended 12 s after it ended';
  trials.push(await house.trial({ execution: kept, mark: 'net-kept', point: kept_, guests }));
  trials.push(await cutBeyondPatience(house, guest));
  return resultOf({
    drill: 'network cut',
    did: 'the link of the host cut when an action began: one outlived its timeout, one ended meanwhile, one was out of reach for longer than its lease waits',
    trials,
    happened: trials.map((trial) => `${trial.point}: ${trial.outcome} (${trial.status})`).join('; '),
    findings:
      trials[0]?.status === 'failed' ? [] : [`the action cut off by its timeout was told as ${trials[0]?.status}`],
  });
}

/** The execution ends without proof, and its limits stay held until the host is back. */
async function cutBeyondPatience(house: House, guest: Guest): Promise<Trial> {
  const { client } = house;
  const execution = await house.ask(guest.agent.place.node, 'net-far', 1, 'brief');
  await guest.until('net-far', 'begun');
  await cut(guest);
  const closed = async () => (await client.getExecution(execution)).state === 'closed';
  await eventually(closed, { what: 'the execution to end without its host', timeoutMs: 120_000, everyMs: 500 });
  const held = (await client.status()).gate.orphaned ?? 0;
  await mend(guest);
  const freed = async () => (await client.status()).gate.orphaned === 0;
  const provenLater = await eventually(freed, { what: 'proof', timeoutMs: 60_000, everyMs: 250 }).then(
    () => held > 0,
    () => false,
  );
  const point = 'cut until its execution had ended; its limits held until the host answered again';
  return house.trial({ execution, mark: 'net-far', point, guests: [guest], provenLater });
}

const STATE = '/var/lib/fettle';
/** Small enough to be filled in no time. */
export const STATE_DISK = { [STATE]: 16 << 20 };
const FILL = [
  'sh',
  '-c',
  `dd if=/dev/zero of=${STATE}/fill bs=64k 2>/dev/null; dd if=/dev/zero of=${STATE}/rest bs=1 2>/dev/null; true`,
];
const EMPTY = ['rm', '-f', `${STATE}/fill`, `${STATE}/rest`];

/** The guest has `STATE_DISK`. */
export async function fillDisk(house: House, guest: Guest): Promise<DrillResult> {
  const node = guest.agent.place.node;
  const guests = [guest];
  const trials: Trial[] = [];
  await guest.host.run(FILL);
  const full = await house.ask(node, 'disk-full', 0.5);
  trials.push(await house.trial({ execution: full, mark: 'disk-full', point: 'full before', guests }));
  await guest.host.run(EMPTY);
  const free = await house.ask(node, 'disk-free', 0.5);
  trials.push(await house.trial({ execution: free, mark: 'disk-free', point: 'freed', guests }));
  const during = await house.ask(node, 'disk-during', 2);
  await guest.until('disk-during', 'begun');
  await guest.host.run(FILL);
  await guest.until('disk-during', 'ended');
  await pause(3_000);
  await guest.host.run(EMPTY);
  const point = 'filled during it, freed 3 s after it ended';
  trials.push(await house.trial({ execution: during, mark: 'disk-during', point, guests }));
  return resultOf({
    drill: 'disk full',
    did: "the file system of the agent's state filled: before an order, and while its action ran",
    trials,
    happened: trials.map((trial) => `${trial.point}: ${trial.outcome} (${trial.status})`).join('; '),
    findings: trials[0]?.begun === 0 ? [] : ['an action began without a record of it'],
  });
}

const OFFSET = '/etc/fettle-clock';
/** Agent and helper live by the clock that a file sets. */
export const FAKED_CLOCK = {
  LD_PRELOAD: '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  FAKETIME_TIMESTAMP_FILE: OFFSET,
  FAKETIME_CACHE_DURATION: '1',
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
};

/** As faketime(1) means it: `+1h`, `-1h`, `+0`. The guest has `FAKED_CLOCK`. */
export async function setClock({ host }: Guest, offset: string): Promise<void> {
  await host.write(OFFSET, `${offset}\n`);
  await pause(1_500);
}

/** The guest has `FAKED_CLOCK`. */
export async function stepClock(house: House, guest: Guest): Promise<DrillResult> {
  const node = guest.agent.place.node;
  const guests = [guest];
  const trials: Trial[] = [];
  const step = (offset: string): Promise<void> => setClock(guest, offset);
  for (const [name, offset] of [
    ['an hour ahead', '+1h'],
    ['an hour behind', '-1h'],
  ] as const) {
    const mark = `clock${offset}`.replace('+', '-plus').replace('--', '-minus-');
    const during = await house.ask(node, `${mark}-during`, 4);
    await guest.until(`${mark}-during`, 'begun');
    await step(offset);
    trials.push(
      await house.trial({ execution: during, mark: `${mark}-during`, point: `${name}, set during it`, guests }),
    );
    const before = await house.ask(node, `${mark}-before`, 0.5);
    trials.push(await house.trial({ execution: before, mark: `${mark}-before`, point: `${name}, set before`, guests }));
    await step('+0');
    const after = await house.ask(node, `${mark}-after`, 0.5);
    trials.push(
      await house.trial({ execution: after, mark: `${mark}-after`, point: `${name}, and set right again`, guests }),
    );
  }
  return resultOf({
    drill: 'clock stepped',
    did: 'the clock of agent and helper (libfaketime) an hour ahead, right, an hour behind, right: during an action and before one',
    trials,
    happened: trials.map((trial) => `${trial.point}: ${trial.outcome} (${trial.status})`).join('; '),
  });
}

export async function stopTemporal(house: House, guest: Guest, seconds: number): Promise<DrillResult> {
  const node = guest.agent.place.node;
  const execution = await house.ask(node, 'temporal', 3);
  await guest.until('temporal', 'begun');
  const agent = await guest.agent.pid();
  await house.site.temporal.kill();
  await pause(seconds * 1_000);
  await house.site.temporal.start();
  const point = `Temporal killed when it began, back after ${seconds} s`;
  const trials = [await house.trial({ execution, mark: 'temporal', point, guests: [guest] })];
  const next = await house.ask(node, 'temporal-next', 0.5);
  trials.push(await house.trial({ execution: next, mark: 'temporal-next', point: 'the next order', guests: [guest] }));
  const same = agent === (await guest.agent.pid());
  return resultOf({
    drill: 'Temporal gone',
    did: `kill -9 of Temporal while an action ran, started again after ${seconds} s`,
    trials,
    happened: `${trials.map((trial) => `${trial.point}: ${trial.outcome} (${trial.status})`).join('; ')}; the agent ${same ? 'was the same process all along' : 'was restarted'}`,
    findings: same ? [] : ['the agent did not outlive Temporal'],
  });
}
