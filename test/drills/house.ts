/** What drills run on: real Temporal, a real coordinator, and booted hosts with a real agent, each on a link that can be cut. */
import { randomUUID } from 'node:crypto';
import type { ApiExecutionDetail, ApiRequest } from '../../workflows/api.ts';
import type { CoordinatorClient } from '../../identity/coordinator-client.ts';
import type { NodePlace } from '../../workflows/contract.ts';
import { builtProgram, installAgent, type AgentSetUp, type InstalledAgent } from '../support/booted-agent.ts';
import { bootHost, type BootedHost, type HostOptions } from '../support/booted-host.ts';
import { drillStep } from '../support/drill-site.ts';
import { eventually } from '../support/processes.ts';
import { COORDINATOR_ID, makeSite, type Site } from '../support/site.ts';
import type { Trial } from './trial.ts';

export type Guest = {
  readonly host: BootedHost;
  readonly agent: InstalledAgent;
  /** Lines that actions left under a mark: `begun KEY`, `ended KEY`. */
  readonly marks: (mark: string) => Promise<string[]>;
  /** Waits until the action that leaves this mark has begun, or has ended. */
  readonly until: (mark: string, word: 'begun' | 'ended') => Promise<void>;
};

export type GuestOptions = Partial<Pick<HostOptions, 'machineId' | 'disks'>> &
  Partial<Pick<AgentSetUp, 'environment' | 'more'>> & {
    /** Name of the machine, when it is not the node's. */
    readonly machine?: string;
  };

export type House = AsyncDisposable & {
  readonly site: Site;
  readonly client: CoordinatorClient;
  /** Whether changes go through the root helper. */
  readonly helper: boolean;
  readonly random: () => number;
  readonly say: (line: string) => void;
  /** Boots a host with an agent and waits until it takes orders. */
  readonly guest: (node: string, options?: GuestOptions) => Promise<Guest>;
  /** Asks for an action that takes `seconds`; waits, if need be, until the node takes orders and is free. */
  readonly ask: (node: string, mark: string, seconds: number, workflow?: DrillWorkflow) => Promise<string>;
  /** Waits for the end of an execution and compares it with what the hosts hold. */
  readonly trial: (asked: Asked) => Promise<Trial>;
};
export type Asked = {
  readonly execution: string;
  readonly mark: string;
  readonly point: string;
  readonly guests: readonly Guest[];
  readonly actionMayDie?: boolean;
  readonly provenLater?: boolean;
};

/** `act` has time, `brief` is cut off after three seconds. */
export type DrillWorkflow = 'act' | 'brief';

const MARKS = '/var/lib/drill';
const NODES = ['web-1', 'web-2', 'web-3', 'web-4'];
/** In the inventory, without a host: what a thief would answer for. */
export const VICTIMS = ['victim-1', 'victim-2', 'victim-3', 'victim-4', 'victim-5', 'victim-6', 'victim-7'];
/** Longer than any lease can stay unproven. */
const END_MS = 150_000;

const ACTIONS = `
command "act" {
  argv    = ["/usr/local/bin/act", "{mark}", "{seconds}"]
  timeout = "60s"
  input "mark" {
    pattern = "[a-z0-9-]+"
  }
  input "seconds" {
    pattern = "[0-9.]+"
  }
}
`;

/** Each line is one write to a file opened for appending. */
const ACT = `#!/bin/sh
echo "begun $FETTLE_ATTEMPT_KEY" >> "${MARKS}/$1"
sleep "$2"
echo "ended $FETTLE_ATTEMPT_KEY" >> "${MARKS}/$1"
`;

const workflow = (timeout: string): string =>
  drillStep('act', '', timeout)
    .replace('step "act"', 'input "seconds" {\n  type = "string"\n  pattern = "[0-9.]+"\n}\nstep "act"')
    .replace('}" }', '}", seconds = "${input.seconds}" }');

export const placeOf = (node: string): NodePlace => ({ datacenter: 'dc1', nodeType: 'web', node });

export async function openHouse(options: {
  readonly helper: boolean;
  readonly random: () => number;
  readonly say: (line: string) => void;
}): Promise<House> {
  await using stack = new AsyncDisposableStack();
  const site = stack.use(
    await makeSite({
      nodes: [],
      listed: [...NODES, ...VICTIMS].map((name) => ({ name, type: 'web' })),
      workflows: { act: workflow('20s'), brief: workflow('3s') },
    }),
  );
  const program = stack.use(await builtProgram());
  await site.setUp();
  await site.startCoordinator();
  const client = stack.use(await site.client());
  const owned = stack.move();
  return {
    ...options,
    site,
    client,
    guest: async (node, more = {}) => {
      const guest = await openGuest({ site, helper: options.helper, bind: program.bind }, node, more);
      owned.use(guest.host);
      await taken(client, node);
      return guest;
    },
    ask: (node, mark, seconds, name = 'act') => admittedSoon(client, requestOf(name, node, mark, seconds)),
    trial: (asked) => judged(client, asked),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

type Parts = { readonly site: Site; readonly helper: boolean; readonly bind: NonNullable<HostOptions['bind']> };

async function openGuest({ site, helper, bind }: Parts, node: string, more: GuestOptions): Promise<Guest> {
  const { machine = node, environment, more: config, ...boot } = more;
  const host = await bootHost({ ...boot, name: machine, bind, privateNetwork: true });
  await host.write('/usr/local/bin/act', ACT, 0o755);
  await host.sh('install', '-d', MARKS);
  const agent = await installAgent(host, {
    pki: site.pki,
    place: placeOf(node),
    issuer: COORDINATOR_ID,
    temporal: (await host.network?.forward(site.temporal.port)) ?? '',
    actions: ACTIONS,
    helper,
    ...(environment === undefined ? {} : { environment }),
    ...(config === undefined ? {} : { more: config }),
  });
  await agent.start();
  const marks = async (mark: string): Promise<string[]> =>
    (await host.read(`${MARKS}/${mark}`).catch(() => '')).split('\n').filter(Boolean);
  const until: Guest['until'] = async (mark, word) => {
    const said = async () => (await marks(mark)).some((line) => line.startsWith(word));
    await eventually(said, { what: `${mark} to have ${word}`, timeoutMs: 60_000, everyMs: 100 });
  };
  return { host, agent, marks, until };
}

const requestOf = (name: DrillWorkflow, node: string, mark: string, seconds: number): ApiRequest => ({
  workflow: name,
  target: { node },
  args: { mark, seconds: String(seconds) },
  request_id: randomUUID(),
  issued_at: new Date().toISOString(),
});

/** An order is not taken while nobody polls, or while the node's lease is still to be freed. */
function admittedSoon(client: CoordinatorClient, request: ApiRequest): Promise<string> {
  const asked = async (): Promise<string | null> => {
    const decision = await client.request({
      ...request,
      request_id: randomUUID(),
      issued_at: new Date().toISOString(),
    });
    if (decision.decision === 'admitted') return decision.execution;
    throw new Error(`${decision.decision}: ${JSON.stringify(decision)}`);
  };
  return eventually(asked, {
    what: `${JSON.stringify(request.target)} to take an order`,
    timeoutMs: END_MS,
    everyMs: 250,
  });
}

const taken = (client: CoordinatorClient, node: string): Promise<unknown> =>
  eventually(() => client.request({ workflow: 'site-ping', target: { node }, dry_run: true }), {
    what: `the agent of ${node} to take orders`,
    timeoutMs: 60_000,
    everyMs: 200,
  });

async function judged(client: CoordinatorClient, asked: Asked): Promise<Trial> {
  const { execution, mark, point, guests, actionMayDie = false, provenLater = false } = asked;
  const closed = async (): Promise<ApiExecutionDetail | null> => {
    const detail = await client.getExecution(execution);
    return detail.state === 'closed' ? detail : null;
  };
  const detail = await eventually(closed, { what: `${execution} to end`, timeoutMs: END_MS, everyMs: 250 }).catch(
    () => null,
  );
  const lines = (await Promise.all(guests.map((guest) => guest.marks(mark)))).flat();
  const count = (word: string): number => lines.filter((line) => line.startsWith(`${word} `)).length;
  const last = detail?.steps.at(-1)?.result ?? null;
  return {
    point,
    execution,
    begun: count('begun'),
    ended: count('ended'),
    outcome: detail?.outcome ?? null,
    status: last?.status ?? null,
    message: last !== null && 'message' in last ? (last.message ?? null) : (detail?.message ?? null),
    actionMayDie,
    provenLater,
  };
}
