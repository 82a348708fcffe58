import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { deserialize } from 'node:v8';
import type { Loaded } from '../config/loaded.ts';
import type { AgentFiles } from './agent-files.ts';
import type { Io } from './io.ts';

const MAX_BYTES = 64 * 2 ** 20;

/**
 * Loads an agent's files. In a package a process of its own does it and ends: the grammar, its WebAssembly and the compiler for that
 * would stay in the agent's memory for good (11 MB). A checkout has no such part of the program and does it here.
 */
export async function loadAgentFilesApart(paths: readonly string[], env: Io['env']): Promise<Loaded<AgentFiles>> {
  const program = process.argv[1] ?? '';
  if (path.basename(program) !== 'start.js' || !existsSync(path.join(path.dirname(program), 'agent-files.js'))) {
    const { loadAgentFiles } = await import('./agent-files.ts');
    return loadAgentFiles(paths, env);
  }
  const words = [...process.execArgv, program, 'agent-files', ...paths];
  const options = { encoding: 'buffer', maxBuffer: MAX_BYTES, env } as const;
  const { stdout } = await promisify(execFile)(process.execPath, words, options);
  // Written by this very program.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return deserialize(stdout) as Loaded<AgentFiles>;
}
