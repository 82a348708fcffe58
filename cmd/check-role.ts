import { access, constants, stat } from 'node:fs/promises';
import { requestToken } from '../agent/credential-request.ts';
import { readHostFacts } from '../agent/host-facts.ts';
import { placeOf } from '../agent/node-place.ts';
import { ownershipProblems } from '../agent/owned-files.ts';
import type { AgentConfig } from '../config/agent.ts';
import { sourceAddress } from '../config/connections.ts';
import type { CoordinatorConfig } from '../config/coordinator.ts';
import type { Kind } from '../config/kinds.ts';
import {
  loadAgent,
  loadCommands,
  loadCoordinator,
  type Loaded,
  loadTriggerDaemon,
  loadTriggers,
  loadWorkflows,
} from '../config/load.ts';
import { formatProblem, type Problem } from '../config/problem.ts';
import type { TriggerDaemonConfig } from '../config/trigger-daemon.ts';
import { validateFiles } from '../config/validate.ts';
import { knownToWorkflows } from '../coordinator/rules.ts';
import { parseSpiffeId } from '../config/spiffe-id.ts';
import { loadSvid, openSvidSource } from '../identity/svid-source.ts';
import { agentQueues, QUEUES } from '../workflows/contract.ts';
import { checkCoordinators } from './check-coordinators.ts';
import { checkIdentity, checkSecretFile } from './check-identity.ts';
import { checkSources } from './check-sources.ts';
import { checkTemporal, type Queue } from './check-temporal.ts';
import { checkAgentToken, checkTokens } from './check-wall.ts';
import { errorText, fail, type Finding, ok, warn } from './finding.ts';
import type { Io } from './io.ts';
import { KNOWN } from './known.ts';
import { silentLog } from './role-log.ts';

/** Looks at everything that the role of this configuration stands on, on the machine it is run on. */
export async function checkRole(paths: readonly string[], io: Io): Promise<Finding[]> {
  const { files, problems } = await validateFiles(paths, { known: KNOWN });
  const kind = files.map((file) => file.kind).find((one) => one !== null && Object.hasOwn(ROLES, one));
  const check = kind === undefined || kind === null ? undefined : ROLES[kind];
  if (check !== undefined) return check(paths, io);
  const next = 'name the file of a coordinator, an agent or a trigger daemon';
  return [...problemFindings(problems), fail('config', `${paths.join(' ')} is no configuration of a role`, next)];
}

const ROLES: Partial<Record<Kind, (paths: readonly string[], io: Io) => Promise<Finding[]>>> = {
  coordinator: (paths, io) =>
    withConfig('coordinator', loadCoordinator(paths), (config) => checkCoordinator(config, io)),
  agent: async (paths, io) => {
    const loading = loadAgent(paths, KNOWN);
    const checks = await withConfig('agent', loading, (config) => checkAgent(config, io));
    return [...checks, ...(await checkOwners(await loading))];
  },
  'trigger-daemon': (paths, io) =>
    withConfig('trigger daemon', loadTriggerDaemon(paths), (config) => checkTriggerDaemon(config, io)),
};

async function withConfig<T>(
  role: string,
  loading: Promise<Loaded<T>>,
  check: (config: T) => Promise<Finding[]>,
): Promise<Finding[]> {
  const { config, problems, files } = await loading;
  const found = problemFindings(problems);
  if (config === null) return found;
  return [ok('config', `${role}: ${files.join(', ')} can be used`), ...found, ...(await check(config))];
}

const problemFindings = (problems: readonly Problem[]): Finding[] =>
  problems.map((problem) => {
    const text = formatProblem(problem);
    return problem.severity === 'error'
      ? fail('config', text, `fettle validate ${problem.place.file}`)
      : warn('config', text, 'mend it when you can');
  });

async function checkCoordinator(config: CoordinatorConfig, io: Io): Promise<Finding[]> {
  const { identity, temporal, sources } = config;
  const list: Queue[] = [
    { name: QUEUES.workflows, type: 'workflow' },
    { name: QUEUES.gate, type: 'workflow' },
    { name: QUEUES.act, type: 'activity' },
    { name: QUEUES.control, type: 'activity' },
  ];
  const needs = { queues: { namespace: temporal.namespace, who: 'coordinator', list }, domain: config.domain };
  const checks = await Promise.all([
    identity === null
      ? [warn('identity', 'enable_tls = false: every caller is anonymous', 'only for development, on loopback')]
      : checkIdentity(identity, io.now()),
    checkSecretFile('files', config.grantKey),
    writable(config.stateDir),
    readableRules('workflows', loadWorkflows(config.workflowsDir, knownToWorkflows(config))),
    checkTemporal(temporal, needs, io.now),
    checkTokens(temporal, config.agentTokens, io.now()),
    checkSources(sources, io.signal),
  ]);
  return checks.flat();
}

async function checkAgent(config: AgentConfig, io: Io): Promise<Finding[]> {
  const checks = await Promise.all([
    checkIdentity(config.identity, io.now()),
    writable(config.stateDir),
    ...config.grantKeys.map(readable),
    config.actionsDir === null ? [] : readableRules('commands', loadCommands(config.actionsDir)),
    noAllow(config),
    brake(config.brakeFile),
    agentTemporal(config, io),
  ]);
  return checks.flat();
}

/** Without these the agent does not start. */
async function checkOwners({ config, files }: Loaded<AgentConfig>): Promise<Finding[]> {
  const folders = [config?.actionsDir ?? null, config?.secretsDir ?? null].filter((folder) => folder !== null);
  const faults = await ownershipProblems([...files, ...(config?.grantKeys ?? [])], folders);
  if (faults.length === 0) return [ok('files', 'nobody but the administrator can change what this host allows')];
  return faults.map(({ place, message }) => {
    const [what = '', next] = message.split('; type: ');
    return fail('files', `${place.file} ${what}`, next ?? 'only the administrator may have the last word here');
  });
}

const noAllow = async (config: AgentConfig): Promise<Finding[]> =>
  config.allow.length > 0
    ? []
    : [
        warn(
          'config',
          'no allow block: every action is refused',
          'add allow "ACTION" { } blocks for what this host may be asked to do',
        ),
      ];

/** The queues are those of the place that the certificate names; without a good one only the server is looked at. */
async function agentTemporal(config: AgentConfig, io: Io): Promise<Finding[]> {
  let list: Queue[] = [];
  let place: Finding[] = [];
  try {
    const { id } = await loadSvid(config.identity);
    list = Object.values(agentQueues(placeOf(id))).map((name) => ({ name, type: 'activity' }));
  } catch (error) {
    place = [
      fail(
        'identity',
        `it names no agent's place: ${errorText(error)}`,
        'an agent needs the id .../agent/DATACENTER/TYPE/NODE',
      ),
    ];
  }
  const { temporal } = config;
  const queues = { namespace: temporal.agentsNamespace, who: 'agent of this host', list };
  const { token, found } = await askTokens(config, io.signal);
  const wall = token === null ? [] : await checkAgentToken(temporal, token);
  return [...place, ...found, ...(await checkTemporal(temporal, { queues, domain: null, token }, io.now)), ...wall];
}

/** Each coordinator by itself, as the agent does. */
async function askTokens(
  { tokens, issuer, identity: files }: AgentConfig,
  signal: AbortSignal,
): Promise<{ readonly token: string | null; readonly found: Finding[] }> {
  if (tokens === null) return { token: null, found: [] };
  try {
    await using identity = await openSvidSource(files, { log: silentLog() });
    const coordinator = parseSpiffeId(issuer);
    const { machineId } = readHostFacts('doctor');
    const asked = tokens.addresses.map(async (address) => {
      try {
        const { token } = await requestToken({ address, coordinator, identity, machineId, signal });
        return { token, finding: ok('coordinator', `${address} gives this host tokens for Temporal`) };
      } catch (error) {
        const finding = fail(
          'coordinator',
          `${address} gives no token: ${errorText(error)}`,
          'fettle nodes, on a machine of yours; is the coordinator running, with agent_tokens in its file',
        );
        return { token: null, finding };
      }
    });
    const answers = await Promise.all(asked);
    const token = answers.find((answer) => answer.token !== null)?.token ?? null;
    return { token, found: answers.map(({ finding }) => finding) };
  } catch (error) {
    return { token: null, found: [fail('identity', errorText(error), 'mend the file that is named')] };
  }
}

async function checkTriggerDaemon(config: TriggerDaemonConfig, io: Io): Promise<Finding[]> {
  const { certificate, key, bundle } = config.identity;
  const profile = { addresses: config.coordinators, coordinatorId: config.coordinatorId, certificate, key, bundle };
  const checks = await Promise.all([
    checkIdentity(config.identity, io.now()),
    readableRules('triggers', loadTriggers(config.triggersDir, { sources: config.sources.map(sourceAddress) })),
    checkSources(config.sources, io.signal),
    checkCoordinators(profile, io.now),
  ]);
  return checks.flat();
}

async function readableRules(what: string, loading: Promise<Loaded<unknown>>): Promise<Finding[]> {
  const { config, problems, files } = await loading;
  const found = problemFindings(problems);
  return config === null
    ? found
    : [ok('config', `${what}: ${files.length} ${files.length === 1 ? 'file' : 'files'}`), ...found];
}

async function writable(folder: string): Promise<Finding[]> {
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return [ok('files', `${folder} can be written`)];
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return missing
      ? [warn('files', `${folder} does not exist yet`, 'the role makes it if it may')]
      : [fail('files', `${folder}: ${errorText(error)}`, 'run this as the user of the role, or mend owner and mode')];
  }
}

async function readable(file: string): Promise<Finding[]> {
  try {
    await access(file, constants.R_OK);
    return [ok('files', `grant key ${file} can be read`)];
  } catch (error) {
    return [
      fail('files', `grant key ${file}: ${errorText(error)}`, "copy the coordinators' public key (grant.pub) there"),
    ];
  }
}

async function brake(file: string): Promise<Finding[]> {
  const there = await stat(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
  return there
    ? [
        warn(
          'files',
          `the brake is on: ${file} is there, so nothing new is done on this host`,
          `rm ${file}, when it may work again`,
        ),
      ]
    : [];
}
