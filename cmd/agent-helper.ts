import { Socket } from 'node:net';
import { openHelper, type Helper } from '../agent/helper/helper.ts';
import { ownId } from '../agent/helper/own-id.ts';
import { runAttempt } from '../agent/helper/runner.ts';
import { serveConnection } from '../agent/helper/serve.ts';
import type { AgentConfig, HelperConfig } from '../config/agent.ts';
import { configOf } from '../config/loaded.ts';
import { type AgentFiles, loadAgentFiles } from './agent-files.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { roleLog } from './role-log.ts';
import { VERSION } from './version.ts';

export type AgentHelperFlags = {
  readonly config: readonly string[];
  readonly logLevel: string;
  readonly attempt?: string;
};

/**
 * `fettle agent-helper`: answers the one question of the connection that systemd hands it, or runs one attempt. What it logs goes to
 * standard error, since standard output is the connection.
 */
export async function runAgentHelper(io: Io, flags: AgentHelperFlags): Promise<ExitCode> {
  const log = roleLog({ ...io, stdout: io.stderr }, 'agent-helper', flags.logLevel);
  const open = async (): Promise<Helper> => {
    const { config, commands, credentials } = await loadConfig(flags.config, io);
    const runner = [...io.self, 'agent-helper', '--config', ...flags.config, '--attempt'];
    return openHelper(config, { commands, credentials, log, version: VERSION, id: await ownId(config), runner });
  };
  if (flags.attempt !== undefined) {
    await runAttempt(await open(), flags.attempt, io.signal);
    return EXIT.ok;
  }
  const connection = new Socket({ fd: 0, readable: true, writable: true });
  // Told to end, it hangs up: what runs goes on in its unit, and a host on its way down does not wait for it.
  io.signal.addEventListener('abort', () => connection.destroy(), { once: true });
  await serveConnection(connection, async () => {
    try {
      return await open();
    } catch (error) {
      log.error({ error }, 'the helper cannot start');
      throw error;
    }
  });
  return EXIT.ok;
}

/** Refuses files that others than root can change. */
async function loadConfig(
  paths: readonly string[],
  { env }: Io,
): Promise<AgentFiles & { readonly config: AgentConfig & { helper: HelperConfig } }> {
  const files = configOf(await loadAgentFiles(paths, env));
  const { helper } = files.config;
  if (helper !== null) return { ...files, config: { ...files.config, helper } };
  throw new CommandError(
    EXIT.invalidConfig,
    `${paths.join(', ')} has no helper block, so the agent does everything itself; add helper {} to use the helper`,
    `fettle validate ${paths.join(' ')}`,
  );
}
