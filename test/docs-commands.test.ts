import assert from 'node:assert/strict';
import { readdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { documentedCommands } from './check/docs.ts';
import type { CommandBlock } from './check/markdown.ts';
import { ROOT } from './check/root.ts';
import { runProcess, startProcess, temporaryDirectory } from './support/processes.ts';

/** What `npm run demo -- --keep` prints when everything is up; lines `export NAME=VALUE` before it are taken over. */
const DEMO_KEPT = /left running|still running|Ctrl-C/i;
const DEMO_TIMEOUT_MS = 180_000;
const BLOCK_TIMEOUT_MS = 120_000;

const blocks = await documentedCommands();
const documents = Map.groupBy(blocks, ({ file }) => file);

test('every command in the documents says whether it is run here', () => {
  const silent = blocks.filter(({ mark }) => mark.kind === 'unmarked').map(({ file, line }) => `${file}:${line}`);
  assert.deepEqual(silent, []);
});

for (const [file, commands] of documents) {
  const plain = commands.filter(({ mark }) => mark.kind === 'run');
  if (plain.length > 0) test(`the commands of ${file} do what it says`, () => runBlocks(plain, {}));
}

const withDemo = blocks.filter(({ mark }) => mark.kind === 'demo-kept');
test('the commands to try on a kept demo work', { skip: withDemo.length === 0 && 'none documented' }, async () => {
  const demo = path.join(ROOT, 'test/demo/demo.ts');
  await using kept = startProcess([process.execPath, demo, '--keep'], { name: 'demo', cwd: ROOT });
  await kept.waitForLine(DEMO_KEPT, { timeoutMs: DEMO_TIMEOUT_MS });
  const exported = [...kept.output().matchAll(/^\s*export ([A-Z_]+)=['"]?([^'"\n]*)['"]?$/gm)];
  await runBlocks(withDemo, Object.fromEntries(exported.map(([, name = '', value = '']) => [name, value])));
});

/** Runs a document's blocks in order, in one directory that looks like the checkout and takes whatever they write. */
async function runBlocks(commands: readonly CommandBlock[], env: Readonly<Record<string, string>>): Promise<void> {
  await using directory = await temporaryDirectory();
  for (const entry of await readdir(ROOT)) await symlink(path.join(ROOT, entry), path.join(directory.path, entry));
  const tools = [path.join(ROOT, 'node_modules/.bin'), path.join(ROOT, '.tools/bin'), process.env['PATH']].join(':');
  for (const { file, line, text } of commands) {
    const result = await runProcess(['bash', '-euo', 'pipefail', '-c', text], {
      name: `${file}:${line}`,
      cwd: directory.path,
      env: { PATH: tools, ...env },
      timeoutMs: BLOCK_TIMEOUT_MS,
    });
    assert.equal(
      result.code,
      0,
      `${file}:${line} ended with ${result.code}\n${text}\n${result.stdout}\n${result.stderr}`,
    );
  }
}
