import type { Logger } from 'pino';
import { rulesOf } from '../agent/action-host.ts';
import { startAgent } from '../agent/agent.ts';
import type { RulesInForce } from '../agent/rules-in-force.ts';
import { installTemporalRuntime } from '../agent/temporal-runtime.ts';
import type { AgentConfig } from '../config/agent.ts';
import { formatProblem } from '../config/problem.ts';
import { type Watched, watchConfig } from '../config/watched.ts';
import { openSvidSource } from '../identity/svid-source.ts';
import type { AgentFiles } from './agent-files.ts';
import { loadAgentFilesApart } from './agent-files-apart.ts';
import type { ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { type Role, type RoleFlags, type RoleParts, runRole } from './run-role.ts';
import { VERSION } from './version.ts';

/** `fettle agent` */
export const runAgent = (io: Io, flags: RoleFlags): Promise<ExitCode> => runRole(io, flags, roleOf(io));

const roleOf = ({ env }: Io): Role<AgentFiles> => ({
  name: 'agent',
  load: (paths) => loadAgentFilesApart(paths, env),
  metricsListen: ({ config }) => config.metricsListen,
  start: (files, parts) => start(files, parts, env),
});

async function start(files: AgentFiles, parts: RoleParts, env: Io['env']): Promise<void> {
  const { log, metrics, undo, reload } = parts;
  const { config, commands } = files;
  installTemporalRuntime(log);
  const svid = await openSvidSource(config.identity, { log });
  undo.add('identity', async () => svid[Symbol.asyncDispose]());
  const running = await startAgent(config, { svid, identity: svid, commands, log, metrics, version: VERSION });
  undo.add('agent', running.stop);
  const watched = await followRules(files, env, running.rules, log);
  undo.add('watch of rules', async () => watched[Symbol.asyncDispose]());
  undo.add(
    'reload of rules',
    reload(async () => void (await watched.reload())),
  );
}

/** What bounds this host follows its files; what the agent was started with (identity, Temporal, keys) does not. */
const followRules = (
  first: AgentFiles,
  env: Io['env'],
  rules: RulesInForce,
  log: Logger,
): Promise<Watched<AgentFiles>> =>
  watchConfig<AgentFiles>({
    first: { config: first, problems: [], files: first.files },
    load: () => loadAgentFilesApart(first.paths, env),
    paths: [...first.paths, ...(first.config.actionsDir === null ? [] : [first.config.actionsDir])],
    onChange: ({ config, commands }, warnings) => {
      rules.replace(rulesOf(config, commands));
      for (const warning of warnings) log.warn(formatProblem(warning));
      log.info(
        { allow: config.allow.length, never: config.never.length, commands: commands.length },
        'new rules in force',
      );
      if (unruly(config) !== unruly(first.config))
        log.warn('other settings changed too: restart the agent to use them');
    },
    onProblems: (problems) => {
      rules.keepOld(problems.map(formatProblem)[0] ?? 'nothing is known of it');
      log.error({ problems: problems.map(formatProblem) }, 'rules not reloaded: the old rules stay in force');
    },
  });

const unruly = (config: AgentConfig): string => JSON.stringify({ ...config, allow: null, never: null, clean: null });
