import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { locateWasm } from './parse.ts';

test('a bundle finds the grammar in the two files beside it, with no packages around', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'fettle-bundle-'));
  context.after(() => rm(folder, { recursive: true }));
  const decode = fileURLToPath(new URL('./decode.ts', import.meta.url));
  const contents = `import { decodeHcl } from ${JSON.stringify(decode)};
    const { body } = await decodeHcl('f.hcl', Buffer.from('a = 1'));
    console.log(body.attributes.get('a').value.value);`;
  await build({
    stdin: { contents, resolveDir: folder, loader: 'ts' },
    outfile: join(folder, 'bundle.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'silent',
  });
  for (const name of ['web-tree-sitter.wasm', 'tree-sitter-hcl.wasm'] as const)
    await copyFile(locateWasm(name), join(folder, name));
  await writeFile(join(folder, 'package.json'), '{}');
  const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'bundle.mjs')], {
    cwd: folder,
    timeout: 60_000,
  });
  assert.equal(stdout, '1\n');
});
