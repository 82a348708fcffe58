/**
 * A whole small fleet for tests, the demo and benches: real Temporal, real roles as processes of their own, their configuration written as an
 * operator would write it. Loopback, free ports, one temporary folder.
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { openClientIdentity } from '../../identity/client-identity.ts';
import { openCoordinatorClient, type CoordinatorClient } from '../../identity/coordinator-client.ts';
import { makeTokenKey } from '../../identity/dev-ca.ts';
import { makeTestPki, type TestPki, type TestSvid } from './ca.ts';
import {
  eventually,
  freePort,
  runProcess,
  startProcess,
  temporaryDirectory,
  type RunningProcess,
} from './processes.ts';
import { startTemporal, type TemporalServer } from './temporal.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const TRUST_DOMAIN = 'demo.fettle';
export const COORDINATOR_ID = `spiffe://${TRUST_DOMAIN}/coordinator`;

export type SiteNode = {
  readonly name: string;
  readonly type: string;
  readonly labels?: Readonly<Record<string, string>>;
};

export type SiteOptions = {
  readonly nodes: readonly SiteNode[];
  /** Further nodes of the inventory, without an agent. */
  readonly listed?: readonly SiteNode[];
  /** Workflow files by name, without `.hcl`. */
  readonly workflows: Readonly<Record<string, string>>;
  /** Content of `triggers.d/triggers.hcl`; null = no trigger daemon. */
  readonly triggers?: string | null;
  /** Base URL of Prometheus, as source `prometheus.main`. */
  readonly prometheus?: string | null;
  /** Content of `actions.d/actions.hcl` of every host. */
  readonly actions?: string;
  /** `allow` blocks of every host; default: everything. */
  readonly allow?: string;
  /** Further blocks of the coordinator's file. */
  readonly coordinator?: string;
  /** Who may do what `oncall` may, beside him. */
  readonly people?: readonly string[];
  readonly logLevel?: string;
  /** Where a role finds Temporal when that is not Temporal's own address: a proxy in between, say. */
  readonly through?: (role: string, temporal: string) => Promise<string>;
  /** Coordinators give agents their Temporal credential, valid for so long (`"15s"`); their keys are at `Site.jwks`. */
  readonly tokens?: string;
  /** Another server than the development one, given the folder of the site and where the keys will be served. */
  readonly server?: (dir: string, jwks: string) => Promise<TemporalServer>;
  /** What coordinators themselves show to Temporal, made from the token key. */
  readonly coordinatorToken?: (tokenKey: string) => Promise<string>;
  /** Pinned machine ids by node, for the inventory. */
  readonly machines?: Readonly<Record<string, string>>;
  /** Each line of each role's log. */
  readonly onLine?: (role: string, line: string) => void;
};

export type Site = AsyncDisposable & {
  readonly dir: string;
  readonly pki: TestPki;
  readonly temporal: TemporalServer;
  readonly address: string;
  /** Runs `fettle setup temporal`. */
  readonly setUp: () => Promise<void>;
  /** `name` tells coordinators apart; each further one gets its own port and state. */
  readonly startCoordinator: (name?: string) => Promise<{ readonly process: RunningProcess; readonly address: string }>;
  /** The configuration of a coordinator and where it will listen; written once for each name. */
  readonly coordinatorFile: (name: string) => Promise<{ readonly file: string; readonly address: string }>;
  readonly startAgent: (node: string) => RunningProcess;
  /** The agent last started for a node. */
  readonly agent: (node: string) => RunningProcess;
  readonly startTriggerDaemon: (name?: string) => Promise<RunningProcess>;
  /** Starts what `setUp` prepared: coordinator, all agents, trigger daemon; waits until requests can be decided. */
  readonly startAll: () => Promise<void>;
  readonly client: (caller?: string, addresses?: readonly string[]) => Promise<CoordinatorClient>;
  readonly person: (name: string) => Promise<TestSvid>;
  /** A command line of the program itself, as its argv. */
  readonly fettle: (...args: string[]) => string[];
  /** Environment that lets the command line reach this site as a person. */
  readonly environment: (person?: string) => Promise<Record<string, string>>;
  /** URL of the token keys, and the file of the one that signs; null without `tokens`. */
  readonly tokenKeys: { readonly jwks: string; readonly key: string } | null;
  readonly workflowsDir: string;
  readonly triggersDir: string;
  readonly configFile: (role: string) => string;
};

export async function makeSite(options: SiteOptions): Promise<Site> {
  const owned = new AsyncDisposableStack();
  await using stack = new AsyncDisposableStack();
  const { path: dir } = stack.use(await temporaryDirectory('fettle-site-'));
  const pki = stack.use(await makeTestPki(TRUST_DOMAIN));
  const tokens = options.tokens === undefined ? null : await makeTokens(dir, options);
  const development = (): Promise<TemporalServer> => startTemporal({ dbFile: path.join(dir, 'temporal.db') });
  const temporal = stack.use(await (options.server?.(dir, tokens?.jwks ?? '') ?? development()));
  const port = await freePort();
  const address = `https://127.0.0.1:${port}`;
  const place = (name: string): string => path.join(dir, name);
  const configFile = (role: string): string => place(`${role}.hcl`);
  const people = new Map<string, Promise<TestSvid>>();
  const addresses = [address];
  const agents = new Map<string, RunningProcess>();
  for (const folder of ['workflows.d', 'triggers.d', 'actions.d']) await mkdir(place(folder));
  for (const [name, text] of Object.entries({ 'site-ping': SITE_PING, ...options.workflows }))
    await writeFile(place(`workflows.d/${name}.hcl`), text);
  await writeFile(place('triggers.d/triggers.hcl'), options.triggers ?? '');
  await writeFile(place('actions.d/actions.hcl'), options.actions ?? '');
  await writeFile(
    place('inventory.hcl'),
    inventoryText([...options.nodes, ...(options.listed ?? [])], options.machines ?? {}),
  );

  const run = (role: string, name: string, file: string): RunningProcess =>
    owned.use(
      startProcess([...fettle(role, '--config', file), '--log-level', options.logLevel ?? 'info'], {
        name: `${role} ${name}`,
        onLine: (line) => options.onLine?.(name, line),
      }),
    );
  const person = (name: string): Promise<TestSvid> => {
    const known = people.get(name) ?? pki.issue(`/person/${name}`);
    people.set(name, known);
    return known;
  };
  const writeCoordinator = async (name: string, listen: number): Promise<string> => {
    const svid = await pki.issue('/coordinator', { name: `coordinator-${name}` });
    const file = configFile(`coordinator-${name}`);
    const where = (await options.through?.(name, temporal.address)) ?? temporal.address;
    await writeFile(
      file,
      coordinatorText({
        name,
        listen,
        svid,
        pki,
        dir,
        temporal: where,
        options,
        tokens: name === 'c1' || tokens === null ? tokens : { ...tokens, jwks: null },
      }),
    );
    return file;
  };
  const mainFile = await writeCoordinator('c1', port);
  const coordinators = new Map([['c1', Promise.resolve({ file: mainFile, address })]]);
  const coordinatorFile = (name: string): Promise<{ file: string; address: string }> => {
    const make = async () => {
      const own = await freePort();
      return { file: await writeCoordinator(name, own), address: `https://127.0.0.1:${own}` };
    };
    const known = coordinators.get(name) ?? make();
    coordinators.set(name, known);
    return known;
  };

  const site: Omit<Site, typeof Symbol.asyncDispose> = {
    dir,
    pki,
    temporal,
    address,
    tokenKeys: tokens,
    workflowsDir: place('workflows.d'),
    triggersDir: place('triggers.d'),
    configFile,
    coordinatorFile,
    person,
    fettle,
    environment: async (name = 'oncall') => {
      const svid = await person(name);
      return {
        FETTLE_COORDINATOR: addresses.join(','),
        FETTLE_COORDINATOR_ID: COORDINATOR_ID,
        FETTLE_CERT: svid.certificate,
        FETTLE_KEY: svid.key,
        FETTLE_BUNDLE: svid.bundle,
      };
    },
    setUp: async () => {
      const { code, stderr } = await runProcess(fettle('setup', 'temporal', '--config', mainFile));
      if (code !== 0) throw new Error(`fettle setup temporal ended with ${code}:\n${stderr}`);
    },
    startCoordinator: async (name = 'c1') => {
      const { file, address: where } = await coordinatorFile(name);
      const process = run('coordinator', name, file);
      if (!addresses.includes(where)) addresses.push(where);
      const client = await site.client('oncall', [where]);
      try {
        await process.waitUntil(() => ready(client), { what: 'readiness', timeoutMs: 60_000 });
      } finally {
        await client[Symbol.asyncDispose]();
      }
      return { process, address: where };
    },
    startAgent: (node) => {
      const started = run('agent', node, configFile(`agent-${node}`));
      agents.set(node, started);
      return started;
    },
    agent: (node) => {
      const started = agents.get(node);
      if (started === undefined) throw new Error(`no agent of ${node} was started`);
      return started;
    },
    startTriggerDaemon: async (name = 't1') => {
      const file = configFile(`trigger-daemon-${name}`);
      const svid = await pki.issue('/trigger-daemon/t1', { name: `trigger-daemon-${name}` });
      await writeFile(file, triggerDaemonText({ name, svid, dir, prometheus: options.prometheus ?? null, addresses }));
      return run('trigger-daemon', name, file);
    },
    startAll: async () => {
      await site.setUp();
      for (const node of options.nodes) site.startAgent(node.name);
      await site.startCoordinator();
      const client = await site.client();
      try {
        for (const { name } of options.nodes)
          await eventually(() => takesOrders(client, name), { what: `the agent of ${name}`, timeoutMs: 60_000 });
      } finally {
        await client[Symbol.asyncDispose]();
      }
      if ((options.triggers ?? null) !== null) await site.startTriggerDaemon();
    },
    client: async (caller = 'oncall', to = addresses) => {
      const svid = await person(caller);
      const { certificate, key, bundle } = svid;
      const identity = await openClientIdentity(
        { certificate, key, bundle, coordinatorId: COORDINATOR_ID },
        { log: QUIET },
      );
      owned.use(identity);
      return openCoordinatorClient({ addresses: to, coordinatorId: COORDINATOR_ID, identity });
    },
  };
  for (const node of options.nodes) {
    const where = (await options.through?.(node.name, temporal.address)) ?? temporal.address;
    await writeAgent(node, { dir, pki, temporal: where, options, tokens }, address, configFile);
  }
  await person('oncall');
  const made = stack.move();
  owned.defer(() => made.disposeAsync());
  return Object.assign(site, { [Symbol.asyncDispose]: () => owned.disposeAsync() });
}

const QUIET = pino({ level: 'silent' });

const fettle = (...args: string[]): string[] => [process.execPath, path.join(ROOT, 'cmd/main.ts'), ...args];

/** Whether decisions can be taken, be it that all is paused: the gate answers and Workers poll. */
async function ready(client: CoordinatorClient): Promise<boolean> {
  try {
    const status = await client.status();
    return status.temporal.connected && (status.gate.state === 'open' || status.gate.state === 'paused');
  } catch {
    return false;
  }
}

/** A dry run of `site-ping`, which every site has, tells whether the agent takes orders. */
async function takesOrders(client: CoordinatorClient, node: string): Promise<boolean> {
  try {
    const decision = await client.request({ workflow: 'site-ping', target: { node }, dry_run: true });
    return decision.decision !== 'refused';
  } catch {
    return false;
  }
}

export const SITE_PING = `
description = "Proves that the agent of a node takes orders"
step "ping" {
  action  = "ping"
  timeout = "5s"
}
`;

type Parts = {
  readonly dir: string;
  readonly pki: TestPki;
  readonly temporal: string;
  readonly options: SiteOptions;
  readonly tokens: Tokens<string | null> | null;
};
type Tokens<Jwks> = { readonly key: string; readonly jwks: Jwks; readonly ttl: string; readonly own: string | null };

async function makeTokens(dir: string, { tokens = '', coordinatorToken }: SiteOptions): Promise<Tokens<string>> {
  const { privateKey: key } = await makeTokenKey(path.join(dir, 'tokens'));
  const own = coordinatorToken === undefined ? null : path.join(dir, 'tokens/coordinator.token');
  if (coordinatorToken !== undefined && own !== null)
    await writeFile(own, await coordinatorToken(key), { mode: 0o600 });
  return { key, own, ttl: tokens, jwks: `http://127.0.0.1:${await freePort()}/v1/jwks` };
}

/** Only one of several coordinators on one host can serve the keys. */
const tokensText = ({ key, jwks, ttl }: Tokens<string | null>): string => `
agent_tokens {
  key = ${quote(key)}
  ttl = ${quote(ttl)}
  ${jwks === null ? '' : `jwks_listen = ${quote(new URL(jwks).host)}`}
}`;

const quote = (text: string): string => JSON.stringify(text);

const identityText = (svid: TestSvid): string => `
identity {
  certificate = ${quote(svid.certificate)}
  key         = ${quote(svid.key)}
  bundle      = ${quote(svid.bundle)}
}`;

function coordinatorText(parts: Parts & { name: string; listen: number; svid: TestSvid }): string {
  const { dir, options, pki } = parts;
  const people = JSON.stringify(
    ['oncall', ...(options.people ?? [])].map((name) => `spiffe://${TRUST_DOMAIN}/person/${name}`),
  );
  const source = options.prometheus ? `source "prometheus" "main" {\n  url = ${quote(options.prometheus)}\n}\n` : '';
  return `name          = ${quote(parts.name)}
domain        = "main"
state_dir     = ${quote(path.join(dir, `state-${parts.name}`))}
workflows_dir = ${quote(path.join(dir, 'workflows.d'))}
inventory     = ${quote(path.join(dir, 'inventory.hcl'))}
grant_key     = ${quote(pki.grantKeys.privateKey)}
${identityText(parts.svid)}
temporal {
  address = ${quote(parts.temporal)}
  ${parts.tokens?.own ? `api_key_file = ${quote(parts.tokens.own)}` : ''}
}
${parts.tokens === null ? '' : tokensText(parts.tokens)}
server_config {
  enable_tls = true
  listen     = "127.0.0.1:${parts.listen}"
  route_rule {
    name           = "people"
    method         = "GET"
    route_patterns = ["/*"]
    uris           = ${people}
  }
  route_rule {
    name           = "people_act"
    method         = "POST"
    route_patterns = ["/*"]
    uris           = ${people}
  }
  route_rule {
    name           = "triggers"
    method         = "POST"
    route_patterns = ["/v1/requests", "/v1/episodes"]
    uris           = ["spiffe://${TRUST_DOMAIN}/trigger-daemon/*"]
  }
  route_rule {
    name           = "health"
    method         = "GET"
    route_patterns = ["/metrics", "/healthz", "/readyz"]
    allow_public   = true
    skip_log_match = true
  }
}
${source}
${options.coordinator ?? ''}
`;
}

async function writeAgent(
  node: SiteNode,
  parts: Parts,
  coordinator: string,
  configFile: (role: string) => string,
): Promise<void> {
  const { dir, options, pki } = parts;
  const svid = await pki.issue(`/agent/dc1/${node.type}/${node.name}`);
  await chmod(svid.key, 0o600);
  await writeFile(
    configFile(`agent-${node.name}`),
    `state_dir   = ${quote(path.join(dir, `state-${node.name}`))}
actions_dir = ${quote(path.join(dir, 'actions.d'))}
brake_file  = ${quote(path.join(dir, `stop-${node.name}`))}
${identityText(svid)}
temporal {
  address = ${quote(parts.temporal)}
  ${parts.tokens === null ? '' : 'token_from = "coordinator"'}
}
coordinator {
  issuer     = ${quote(COORDINATOR_ID)}
  grant_keys = [${quote(pki.grantKeys.publicKey)}]
  ${parts.tokens === null ? '' : `addresses = [${quote(coordinator)}]`}
}
${options.allow ?? 'allow "*" {}'}
`,
  );
}

function triggerDaemonText(parts: {
  name: string;
  svid: TestSvid;
  dir: string;
  prometheus: string | null;
  addresses: readonly string[];
}): string {
  const source = parts.prometheus === null ? '' : `source "prometheus" "main" {\n  url = ${quote(parts.prometheus)}\n}`;
  return `name         = ${quote(parts.name)}
triggers_dir = ${quote(path.join(parts.dir, 'triggers.d'))}
${identityText(parts.svid)}
coordinator {
  addresses = ${JSON.stringify(parts.addresses)}
  id        = ${quote(COORDINATOR_ID)}
}
${source}
`;
}

const inventoryText = (nodes: readonly SiteNode[], machines: Readonly<Record<string, string>>): string =>
  nodes
    .map(({ name, type, labels = {} }) => {
      const pairs = Object.entries(labels).map(([key, value]) => `${key} = ${quote(value)}`);
      const machine = machines[name] === undefined ? '' : `  machine_id = ${quote(machines[name])}\n`;
      return `node ${quote(name)} {\n  type       = ${quote(type)}\n  datacenter = "dc1"\n  labels     = { ${pairs.join(', ')} }\n${machine}}\n`;
    })
    .join('');
