import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { EXAMPLES } from './examples.ts';
import { KINDS } from './kinds.ts';
import { formatProblem } from './problem.ts';
import { configurationReference } from './reference.ts';
import { validateFiles } from './validate.ts';

test('docs/configuration.md is what the schemas say', async () => {
  const page = await readFile(new URL('../docs/configuration.md', import.meta.url), 'utf8').catch(() => '');
  assert.ok(
    page === configurationReference(),
    'docs/configuration.md differs from the schemas; run: node config/write-reference.ts',
  );
});

test('every example of the reference loads as the kind it is an example of', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'fettle-examples-'));
  context.after(() => rm(folder, { recursive: true }));
  for (const kind of KINDS) {
    const file = join(folder, `${kind}.hcl`);
    await writeFile(file, EXAMPLES[kind]);
    const { problems, files } = await validateFiles([file]);
    assert.deepEqual(
      { problems, files },
      { problems: [], files: [{ file, kind }] },
      problems.map(formatProblem).join('\n'),
    );
  }
});
