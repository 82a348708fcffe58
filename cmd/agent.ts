import { startAgent } from '../agent/agent.ts';
import { installTemporalRuntime } from '../agent/temporal-runtime.ts';
import type { AgentConfig } from '../config/agent.ts';
import { configOf, loadAgent, loadCommands } from '../config/load.ts';
import { openSvidSource } from '../identity/svid-source.ts';
import type { ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { KNOWN } from './known.ts';
import { type Role, type RoleFlags, type RoleParts, runRole } from './run-role.ts';
import { VERSION } from './version.ts';

/** `fettle agent` */
export const runAgent = (io: Io, flags: RoleFlags): Promise<ExitCode> => runRole(io, flags, role);

const role: Role<AgentConfig> = {
  name: 'agent',
  load: (paths) => loadAgent(paths, KNOWN),
  metricsListen: (config) => config.metricsListen,
  start,
};

async function start(config: AgentConfig, { log, metrics, undo }: RoleParts): Promise<void> {
  installTemporalRuntime(log);
  const svid = await openSvidSource(config.identity, { log });
  undo.add('identity', async () => svid[Symbol.asyncDispose]());
  const commands = config.actionsDir === null ? [] : configOf(await loadCommands(config.actionsDir));
  const running = await startAgent(config, { svid, identity: svid, commands, log, metrics, version: VERSION });
  undo.add('agent', running.stop);
}
