/** The files that say what an agent may do on its host: loaded, and refused where others than the administrator can change them. */
import { existsSync } from 'node:fs';
import { ownershipProblems } from '../agent/owned-files.ts';
import type { AgentConfig } from '../config/agent.ts';
import type { CommandDefinition } from '../config/commands.ts';
import type { Loaded } from '../config/loaded.ts';
import { type Io, note } from './io.ts';
import { KNOWN } from './known.ts';

export const AGENT_FILE = '/etc/fettle/agent.hcl';

export type AgentFiles = {
  readonly config: AgentConfig;
  readonly commands: readonly CommandDefinition[];
  /** Where they came from, as on the command line. */
  readonly paths: readonly string[];
  /** Those that were read. */
  readonly files: readonly string[];
  /** Folder of systemd's credentials, where those are this host's secrets; null: there are none, or `secrets_dir` holds them. */
  readonly credentials: string | null;
};

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Everything that is wrong with the files and with who may change them, at once. Without `secrets_dir` the credentials that systemd
 * gave this unit (`LoadCredential=`, `LoadCredentialEncrypted=`) are its secrets.
 */
export async function loadAgentFiles(paths: readonly string[], env: Environment): Promise<Loaded<AgentFiles>> {
  const { loadAgent, loadCommands } = await import('../config/load.ts');
  const { config: read, problems, files } = await loadAgent(paths, KNOWN);
  const credentials = read?.secretsDir === null ? env['CREDENTIALS_DIRECTORY'] || null : null;
  const config = read && { ...read, secretsDir: read.secretsDir ?? credentials };
  const folder = config?.actionsDir ?? null;
  const commands = folder === null ? null : await loadCommands(folder);
  const folders = [folder, config?.secretsDir ?? null].filter((path) => path !== null);
  const owned = await ownershipProblems([...files, ...(config?.grantKeys ?? [])], folders);
  const good = config !== null && owned.length === 0 && (commands === null || commands.config !== null);
  const all = [...files, ...(commands?.files ?? [])];
  return {
    config: good ? { config, commands: commands?.config ?? [], paths, files: all, credentials } : null,
    problems: [...problems, ...(commands?.problems ?? []), ...owned],
    files: all,
  };
}

/**
 * The brake file of the agent of this host. It must be found whatever state the configuration is in: with a bad one, where every
 * installation has it.
 */
export async function brakeFileOf(io: Io, paths: readonly string[] | undefined): Promise<string> {
  const standard = '/etc/fettle/stop';
  const named = paths ?? (existsSync(AGENT_FILE) ? [AGENT_FILE] : []);
  if (named.length === 0) return standard;
  const { loadAgent } = await import('../config/load.ts');
  const { config } = await loadAgent(named, KNOWN);
  if (config !== null) return config.brakeFile;
  note(io, `fettle: ${named.join(', ')} cannot be read as it stands, so the brake file is taken to be ${standard}`);
  return standard;
}
