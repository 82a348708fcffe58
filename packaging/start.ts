/**
 * `node start.js agent ...`: runs the part of the program that a server needs all day. V8's compiled form of it lies
 * beside it, written when the package was built and owned by root like the program: a cache that the agent wrote itself would
 * be code that the root helper runs.
 */
import { readFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import path from 'node:path';
import { Script } from 'node:vm';

export type Part = { readonly file: string; readonly script: Script };

/** Compiles a part, from its cache where that fits this Node and its flags. */
export function compilePart(name: string, folder: string): Part {
  const file = path.join(folder, `${name}.js`);
  // The bundler escapes what is not ASCII, so each character is one byte.
  const source = Module.wrap(readFileSync(file, 'latin1'));
  const cachedData = readCache(`${file}.cache`);
  return { file, script: new Script(source, { filename: file, ...(cachedData && { cachedData }) }) };
}

/** Runs a part as if Node had been started with its file. */
export function runPart({ file, script }: Part): void {
  const exported = { exports: {} };
  script.runInThisContext()(exported.exports, createRequire(file), exported, file, path.dirname(file));
}

function readCache(file: string): Buffer | null {
  try {
    return readFileSync(file);
  } catch {
    return null;
  }
}

if (require.main === module) runPart(compilePart(process.argv[2] ?? '', __dirname));
