/** Where set-up puts things, and what it finds on the PATH. */
import { existsSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
/** Git-ignored; removing it makes the next set-up begin anew. */
export const TOOLS = path.join(ROOT, '.tools');
/** First on the PATH of everything that runs in the checkout: one link for each program. */
export const TOOLS_BIN = path.join(TOOLS, 'bin');
export const NODE_BIN = path.join(ROOT, 'node_modules/node/bin');

/** @param {string} name */
export const hasTool = (name) => existsSync(path.join(TOOLS_BIN, name));

/**
 * Makes `.tools/bin/NAME` point at a file (relative when it lies in `.tools`, so that the checkout can be moved).
 * @param {string} name @param {string} file
 */
export function linkTool(name, file) {
  mkdirSync(TOOLS_BIN, { recursive: true });
  const target = file.startsWith(`${TOOLS}/`) ? path.relative(TOOLS_BIN, file) : file;
  replaceLink(path.join(TOOLS_BIN, name), target);
}

/** @param {string} link @param {string} target */
export function replaceLink(link, target) {
  try {
    if (readlinkSync(link) === target) return;
  } catch {
    // Not there, or not a link.
  }
  rmSync(link, { force: true });
  symlinkSync(target, link);
}

/** @param {string[]} names @returns {string | null} the first of these programs on the PATH, outside the checkout */
export function onPath(...names) {
  for (const name of names) {
    for (const directory of (process.env['PATH'] ?? '').split(':')) {
      const file = path.join(directory, name);
      if (path.isAbsolute(directory) && !file.startsWith(`${ROOT}/`) && existsSync(file)) return file;
    }
  }
  return null;
}

/** The PATH under which the checkout's programs run: Node 24 and the tools first. */
export const pathWithTools = () =>
  [NODE_BIN, path.join(ROOT, 'node_modules/.bin'), TOOLS_BIN, process.env['PATH'] ?? ''].join(':');
