/** Every drill, in the order of the table, and the hosts that they share. */
import { forgeReceipts, replayOrders, sendOrders } from './attacks.ts';
import type { Guest, House } from './house.ts';
import { cutPower, killAgent, killHelper } from './kills.ts';
import { breakConfig, expireCertificate, twoOfOneName } from './papers.ts';
import type { DrillResult } from './trial.ts';
import { cutNetwork, FAKED_CLOCK, fillDisk, STATE_DISK, stepClock, stopTemporal } from './weather.ts';

/** How much of it: the whole, or what the main suite has time for. */
export type Extent = {
  readonly agentKills: number;
  readonly helperKills: number;
  readonly powerCuts: number;
  readonly temporalAwayS: number;
  readonly twins: number;
};
export const WHOLE: Extent = { agentKills: 20, helperKills: 10, powerCuts: 6, temporalAwayS: 60, twins: 9 };

export type Hosts = { readonly web1: Guest; readonly web2: Guest };
type Drill = (house: House, hosts: Hosts, extent: Extent) => Promise<DrillResult>;

/** `web-1` has a small disk for the agent's state, `web-2` a clock that can be set. */
export const bootHosts = async (house: House): Promise<Hosts> => {
  const [web1, web2] = await Promise.all([
    house.guest('web-1', { disks: STATE_DISK }),
    house.guest('web-2', { environment: FAKED_CLOCK }),
  ]);
  return { web1, web2 };
};

export const DRILLS: Readonly<Record<string, Drill>> = {
  'agent-killed': (house, { web1, web2 }, extent) => killAgent(house, [web1, web2], extent.agentKills),
  'helper-killed': (house, { web1, web2 }, extent) => killHelper(house, [web1, web2], extent.helperKills),
  'power-cut': (house, { web1, web2 }, extent) => cutPower(house, [web1, web2], extent.powerCuts),
  'network-cut': (house, { web1 }) => cutNetwork(house, web1),
  'disk-full': (house, { web1 }) => fillDisk(house, web1),
  'clock-stepped': (house, { web2 }) => stepClock(house, web2),
  'temporal-gone': (house, { web1 }, extent) => stopTemporal(house, web1, extent.temporalAwayS),
  'svid-expired': (house, { web1 }) => expireCertificate(house, web1),
  'config-broken': (house, { web1 }) => breakConfig(house, web1),
  'orders-of-a-thief': (house, { web1 }) => sendOrders(house, web1),
  'replayed-orders': (house, { web2 }) => replayOrders(house, web2),
  'forged-answers': (house, { web1 }) => forgeReceipts(house, web1),
  'two-of-one-name': async (house, { web1 }, extent) =>
    twoOfOneName(house, web1, await house.guest('web-1', { machine: 'web-1-clone' }), extent.twins),
};
