import { startAgent } from '../agent/agent.ts';
import { installTemporalRuntime } from '../agent/temporal-runtime.ts';
import { openSvidSource } from '../identity/svid-source.ts';
import { type AgentFiles, loadAgentFiles } from './agent-files.ts';
import type { ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { type Role, type RoleFlags, type RoleParts, runRole } from './run-role.ts';
import { VERSION } from './version.ts';

/** `fettle agent` */
export const runAgent = (io: Io, flags: RoleFlags): Promise<ExitCode> => runRole(io, flags, role);

const role: Role<AgentFiles> = {
  name: 'agent',
  load: loadAgentFiles,
  metricsListen: ({ config }) => config.metricsListen,
  start,
};

async function start({ config, commands }: AgentFiles, { log, metrics, undo }: RoleParts): Promise<void> {
  installTemporalRuntime(log);
  const svid = await openSvidSource(config.identity, { log });
  undo.add('identity', async () => svid[Symbol.asyncDispose]());
  const running = await startAgent(config, { svid, identity: svid, commands, log, metrics, version: VERSION });
  undo.add('agent', running.stop);
}
