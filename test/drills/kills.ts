/** The agent, the helper, the whole host, killed at points of an action that the seed draws. */
import { setTimeout as pause } from 'node:timers/promises';
import { AGENT_UNIT } from '../support/booted-agent.ts';
import type { Guest, House } from './house.ts';
import { resultOf, type DrillResult, type Trial } from './trial.ts';

const ACTION_S = 1.2;

/** When to strike: at first counted from the request, then from the moment when the action's own mark is there. */
type Point = { readonly after: 'request' | 'begin'; readonly ms: number };
/** Of all points this share lies before the action, as far as one can know beforehand. */
const BEFORE = 0.3;
const BEFORE_MS = 800;
/** The whole of the action, and the way of its receipt. */
const DURING_MS = 1_500;

const pointOf = (drawn: number): Point =>
  drawn < BEFORE
    ? { after: 'request', ms: Math.round((drawn / BEFORE) * BEFORE_MS) }
    : { after: 'begin', ms: Math.round(((drawn - BEFORE) / (1 - BEFORE)) * DURING_MS) };

type Blow = {
  readonly name: string;
  readonly drill: string;
  readonly did: (points: number) => string;
  readonly strike: (guest: Guest) => Promise<void>;
  readonly actionMayDie?: boolean;
};

const AGENT: Blow = {
  name: 'agent',
  drill: 'agent killed',
  did: (points) => `kill -9 of the agent at ${points} points of an action of ${ACTION_S} s; systemd starts it again`,
  strike: async ({ host }) =>
    void (await host.run(['systemctl', 'kill', '-s', 'KILL', '--kill-whom=main', AGENT_UNIT])),
};

const HELPER: Blow = {
  name: 'helper',
  drill: 'helper killed',
  did: (points) => `kill -9 of every process of the helper's connections at ${points} points of an action`,
  strike: async ({ host }) =>
    void (await host.run(['systemctl', 'kill', '-s', 'KILL', 'fettle-agent-helper@*.service'])),
};

const POWER: Blow = {
  name: 'power',
  drill: 'power cut',
  did: (points) => `the host ended at once at ${points} points of an action, and booted again`,
  strike: async ({ host, agent }) => {
    await host.powerCut();
    await host.boot();
    await agent.connected();
  },
  actionMayDie: true,
};

/** The points are shared out among the guests, which go through theirs one after the other. */
async function strikes(house: House, guests: readonly Guest[], points: number, blow: Blow): Promise<DrillResult> {
  const drawn = Array.from({ length: points }, () => house.random()).toSorted((a, b) => a - b);
  const trials: Trial[] = [];
  const each = guests.map(async (guest, turn) => {
    for (const [index, { after, ms }] of drawn.map(pointOf).entries()) {
      if (index % guests.length !== turn) continue;
      const mark = `${blow.name}-${index}`;
      const execution = await house.ask(guest.agent.place.node, mark, ACTION_S);
      if (after === 'begin') await guest.until(mark, 'begun');
      await pause(ms);
      await blow.strike(guest);
      const point = `${blow.name} struck ${ms} ms after the ${after === 'begin' ? 'action began' : 'request'}`;
      const actionMayDie = blow.actionMayDie ?? false;
      const trial = await house.trial({ execution, mark, point, guests: [guest], actionMayDie });
      house.say(`${point}: began ${trial.begun}, ended ${trial.ended}, ${trial.outcome} (${trial.status})`);
      trials.push(trial);
    }
  });
  await Promise.all(each);
  return resultOf({ drill: blow.drill, did: blow.did(points), trials, happened: story(trials) });
}

function story(trials: readonly Trial[]): string {
  const never = trials.filter((trial) => trial.begun === 0).length;
  const whole = trials.filter((trial) => trial.ended > 0).length;
  const cut = trials.length - never - whole;
  const parts = [
    whole > 0 ? `${whole} ran to their end` : '',
    cut > 0 ? `${cut} were cut short` : '',
    never > 0 ? `${never} never began` : '',
  ];
  return `${parts.filter(Boolean).join(', ')}.`;
}

export const killAgent = (house: House, guests: readonly Guest[], points: number): Promise<DrillResult> =>
  strikes(house, guests, points, AGENT);
export const killHelper = (house: House, guests: readonly Guest[], points: number): Promise<DrillResult> =>
  strikes(house, guests, points, HELPER);
export const cutPower = (house: House, guests: readonly Guest[], points: number): Promise<DrillResult> =>
  strikes(house, guests, points, POWER);
