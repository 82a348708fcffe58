import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadClientProfile } from '../config/load.ts';
import { commandLinePage } from './command-line-page.ts';
import { buildProgram } from './command-tree.ts';

const PAGE = new URL('../docs/command-line.md', import.meta.url);
const made = commandLinePage(buildProgram(() => {}, { out: () => {}, err: () => {}, columns: 100 }));

test('docs/command-line.md is what the commands say of themselves (FETTLE_WRITE_DOCS=1 writes it)', async () => {
  if (process.env['FETTLE_WRITE_DOCS'] === '1') await writeFile(PAGE, made);
  assert.equal(await readFile(PAGE, 'utf8'), made);
});

test('the client profile in docs/command-line.md loads', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fettle-profile-'));
  try {
    const file = join(folder, 'client.hcl');
    await writeFile(file, /```hcl\n([\s\S]*?)```/.exec(made)?.[1] ?? '');
    const { config, problems } = await loadClientProfile(file);
    assert.deepEqual(problems, []);
    assert.equal(config?.addresses.length, 2);
  } finally {
    await rm(folder, { recursive: true });
  }
});
