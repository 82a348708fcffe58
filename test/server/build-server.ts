/**
 * A real Temporal server: only that one has an authorizer. Built from its own module, once for each version, some minutes of two cores; kept under
 * `.tools/temporal-server-VERSION`. Needs Go.
 */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runProcess } from '../support/processes.ts';

export const SERVER_VERSION = '1.32.1';
const ROOT = path.resolve(import.meta.dirname, '../..');
const PLACE = path.join(ROOT, `.tools/temporal-server-${SERVER_VERSION}`);
export const SERVER_BINARY = path.join(PLACE, 'temporal-server');
const BUILD_MS = 40 * 60_000;

const MODULE = `module fettle.local/temporal-server

go 1.26.0

require go.temporal.io/server v${SERVER_VERSION}
`;
/** Keeps the requirement when the module is tidied. */
const TOOLS = `//go:build tools

package tools

import _ "go.temporal.io/server/cmd/server"
`;

/** @throws Error when there is no Go, or it does not build */
export async function buildServer(say: (line: string) => void): Promise<string> {
  if (existsSync(SERVER_BINARY)) return SERVER_BINARY;
  say(`building Temporal's server ${SERVER_VERSION}: some minutes, once`);
  const work = `${PLACE}.build`;
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  await mkdir(PLACE, { recursive: true });
  await writeFile(path.join(work, 'go.mod'), MODULE);
  await writeFile(path.join(work, 'tools.go'), TOOLS);
  await go(work, 'mod', 'tidy');
  await go(work, 'build', '-trimpath', '-o', 'temporal-server', 'go.temporal.io/server/cmd/server');
  await rename(path.join(work, 'temporal-server'), SERVER_BINARY);
  await rm(work, { recursive: true, force: true });
  return SERVER_BINARY;
}

async function go(cwd: string, ...words: string[]): Promise<void> {
  const argv = ['nice', '-n', '10', 'go', ...words];
  const { code, stderr } = await runProcess(argv, { cwd, env: { GOFLAGS: '-mod=mod' }, timeoutMs: BUILD_MS });
  if (code !== 0) throw new Error(`go ${words.join(' ')} ended with ${code}:\n${stderr}`);
}
