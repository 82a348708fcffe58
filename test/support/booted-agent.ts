/** An agent installed on a booted host as an operator would: program, files under /etc/fettle, units, and a start by systemd. */
import { existsSync, realpathSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { buildPackage } from '../../packaging/build.ts';
import { agentSpiffePath, type NodePlace } from '../../workflows/contract.ts';
import type { BootedHost, HostOptions } from './booted-host.ts';
import type { TestIssueOptions, TestPki } from './ca.ts';
import { temporaryDirectory } from './processes.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const UNITS = path.join(ROOT, 'packaging/systemd');
const NODE_IN_GUEST = '/opt/node';
const PROGRAM_IN_GUEST = '/opt/fettle';

type Binds = NonNullable<HostOptions['bind']>;
const programFrom = (folder: string): Binds => [
  { from: realpathSync(process.execPath), to: NODE_IN_GUEST },
  { from: folder, to: PROGRAM_IN_GUEST },
];

/** What a host needs to run this checkout's program: `bootHost({ name, bind: PROGRAM })`. */
export const PROGRAM: Binds = programFrom(ROOT);

/** The same as it is shipped, which takes seconds to build and starts faster. */
export async function builtProgram(): Promise<AsyncDisposable & { readonly bind: Binds }> {
  const home = await temporaryDirectory('fettle-built-');
  const out = path.join(home.path, 'dist');
  await buildPackage(out);
  return { bind: programFrom(out), [Symbol.asyncDispose]: () => home[Symbol.asyncDispose]() };
}

/** The agent's unit, as it is named on the host. */
export const AGENT_UNIT = 'fettle-agent.service';

export type AgentSetUp = {
  readonly pki: TestPki;
  readonly place: NodePlace;
  /** In whose name coordinators sign. */
  readonly issuer: string;
  /** Where the guest finds Temporal. */
  readonly temporal: string;
  /** `allow` blocks; default: everything. */
  readonly allow?: string;
  /** Content of `/etc/fettle/actions.d/actions.hcl`. */
  readonly actions?: string;
  /** Further attributes and blocks of `/etc/fettle/agent.hcl`. */
  readonly more?: string;
  /** What changes the host is done by the root helper, and the agent has no power; default: one process as root. */
  readonly helper?: boolean;
  /** Of agent and helper. */
  readonly environment?: Readonly<Record<string, string>>;
};

export type InstalledAgent = {
  readonly place: NodePlace;
  /** Starts the agent, or starts it anew, and waits until it is connected. */
  readonly start: () => Promise<void>;
  /** Waits until the agent that systemd started last is connected. */
  readonly connected: (timeoutMs?: number) => Promise<void>;
  readonly stop: () => Promise<void>;
  /** Main process of the agent, as the guest numbers it; null while there is none. */
  readonly pid: () => Promise<number | null>;
  /** Puts another certificate in place of the agent's. */
  readonly renew: (options: TestIssueOptions) => Promise<void>;
  /** Writes `/etc/fettle/agent.hcl` anew. */
  readonly configure: (setUp: Partial<AgentSetUp>) => Promise<void>;
};

export async function installAgent(host: BootedHost, setUp: AgentSetUp): Promise<InstalledAgent> {
  const { place, pki } = setUp;
  const connected: InstalledAgent['connected'] = async (timeoutMs = 60_000) => {
    const said = async (): Promise<boolean> => {
      const run = (await host.sh('systemctl', 'show', '--value', '-p', 'InvocationID', AGENT_UNIT)).trim();
      const lines = await host.run(['journalctl', '-o', 'cat', '--no-pager', `_SYSTEMD_INVOCATION_ID=${run}`]);
      return run !== '' && lines.stdout.includes('connected to Temporal');
    };
    await host.waitFor(said, { timeoutMs, what: 'the agent to be connected' }).catch(async (cause: unknown) => {
      throw new Error(`the agent did not connect:\n${await host.journal(AGENT_UNIT)}`, { cause });
    });
  };
  const renew: InstalledAgent['renew'] = async (options) => {
    const svid = await pki.issue(agentSpiffePath(place), { renew: true, ...options });
    const owner = setUp.helper === true ? 'fettle-agent' : 'root';
    for (const [name, file, mode] of [
      ['bundle.pem', svid.bundle, 0o644],
      ['svid.key', svid.key, 0o600],
      ['svid.pem', svid.certificate, 0o644],
    ] as const) {
      await host.write(`/etc/fettle/identity/${name}`, await readFile(file, 'utf8'), mode);
      if (name === 'svid.key') await host.sh('chown', `${owner}:${owner}`, `/etc/fettle/identity/${name}`);
    }
  };
  const configure: InstalledAgent['configure'] = async (more) => {
    await host.write('/etc/fettle/agent.hcl', agentText({ ...setUp, ...more }), 0o640);
    if (setUp.helper === true) await host.sh('chown', 'root:fettle-agent', '/etc/fettle/agent.hcl');
  };
  await installProgram(host);
  await installUnits(host, setUp);
  await host.write('/etc/fettle/grant.pub', await readFile(pki.grantKeys.publicKey, 'utf8'));
  await host.write('/etc/fettle/actions.d/actions.hcl', setUp.actions ?? '');
  await host.sh('install', '-d', '-m', '0700', '/etc/fettle/secrets');
  await renew({});
  await configure({});
  return {
    place,
    renew,
    configure,
    connected,
    start: async () => {
      await host.sh('systemctl', 'restart', AGENT_UNIT);
      await connected();
    },
    stop: async () => void (await host.sh('systemctl', 'stop', AGENT_UNIT)),
    pid: async () => Number(await host.sh('systemctl', 'show', '--value', '-p', 'MainPID', AGENT_UNIT)) || null,
  };
}

async function installProgram(host: BootedHost): Promise<void> {
  const { code } = await host.run(['test', '-e', `${PROGRAM_IN_GUEST}/fettle.mjs`]);
  // The launcher of a package looks for node in PATH.
  const start =
    code === 0
      ? `PATH=${path.dirname(NODE_IN_GUEST)}:$PATH exec ${PROGRAM_IN_GUEST}/fettle`
      : `exec ${NODE_IN_GUEST} ${PROGRAM_IN_GUEST}/cmd/main.ts`;
  await host.write('/usr/bin/fettle', `#!/bin/sh\n${start} "$@"\n`, 0o755);
}

async function installUnits(host: BootedHost, setUp: AgentSetUp): Promise<void> {
  const folder = '/etc/systemd/system';
  const environment = Object.entries(setUp.environment ?? {}).map(
    ([name, value]) => `Environment="${name}=${value}"\n`,
  );
  const names = existsSync(UNITS) && setUp.helper === true ? await readdir(UNITS) : [];
  for (const name of names.filter((each) => /\.(?:service|socket|slice|target)$/.test(each))) {
    await host.write(`${folder}/${name}`, await readFile(path.join(UNITS, name), 'utf8'));
    if (name.endsWith('.service') && environment.length > 0)
      await host.write(`${folder}/${name}.d/tests.conf`, `[Service]\n${environment.join('')}`);
  }
  if (setUp.helper === true) {
    await host.write('/usr/lib/sysusers.d/fettle.conf', 'u fettle-agent - "Fettle agent" /var/lib/fettle/agent\n');
    await host.sh('systemd-sysusers');
  } else {
    await host.write(`${folder}/${AGENT_UNIT}`, `${ONE_PROCESS}${environment.join('')}`);
  }
  await host.sh('systemctl', 'daemon-reload');
  const units = [AGENT_UNIT, ...names.filter((name) => name.endsWith('.socket'))];
  await host.sh('systemctl', 'enable', ...units);
  for (const socket of units.slice(1)) await host.sh('systemctl', 'restart', socket);
}

/** The agent as root, doing all itself. It is started again whatever ended it. */
const ONE_PROCESS = `
[Unit]
Description=Fettle agent, without a helper
StartLimitIntervalSec=0

[Install]
WantedBy=multi-user.target

[Service]
ExecStart=/usr/bin/fettle agent --config /etc/fettle/agent.hcl
Restart=always
RestartSec=100ms
KillMode=process
StateDirectory=fettle/agent
`;

function agentText(setUp: AgentSetUp): string {
  const quote = (text: string): string => JSON.stringify(text);
  return `actions_dir = "/etc/fettle/actions.d"
secrets_dir = "/etc/fettle/secrets"
identity {
  certificate = "/etc/fettle/identity/svid.pem"
  key         = "/etc/fettle/identity/svid.key"
  bundle      = "/etc/fettle/identity/bundle.pem"
}
temporal {
  address = ${quote(setUp.temporal)}
}
coordinator {
  issuer     = ${quote(setUp.issuer)}
  grant_keys = ["/etc/fettle/grant.pub"]
}
${setUp.helper === true ? 'helper {}\n' : ''}${setUp.allow ?? 'allow "*" {}'}
${setUp.more ?? ''}
`;
}
