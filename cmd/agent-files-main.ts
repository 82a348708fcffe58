/** The part of a package that reads an agent's files and ends. What it says is for `loadAgentFilesApart` alone. */
import { serialize } from 'node:v8';
import { loadAgentFiles } from './agent-files.ts';

async function main(): Promise<void> {
  process.stdout.write(serialize(await loadAgentFiles(process.argv.slice(3), process.env)));
}

void main();
