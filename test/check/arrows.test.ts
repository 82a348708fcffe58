import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkArrows, importsOf, wrongArrows } from './arrows.ts';

const wrong = (file: string, text: string): string[] => wrongArrows([{ file, imports: importsOf(text) }]);

test('imports of this checkout run down', async () => {
  assert.deepEqual(await checkArrows(), []);
});

test('finds imports in every form they are written in', () => {
  const text = [
    `import a, {\n  b,\n} from './a.ts';`,
    `import type { T } from './t.ts';`,
    `import './effect.ts';`,
    `export * from './all.ts';`,
    `export { c } from './c.ts';`,
    `const late = await import('./late.ts');`,
    `const text = "import x from './no.ts'";`,
  ].join('\n');
  assert.deepEqual(
    importsOf(text).map(({ line, target }) => `${line} ${target}`),
    ['3 ./a.ts', '4 ./t.ts', '5 ./effect.ts', '6 ./all.ts', '7 ./c.ts', '8 ./late.ts'],
  );
});

test('refuses an import up, across, into tests, and out of the layout', () => {
  assert.match(
    wrong('config/a.ts', `import { x } from '../workflows/contract.ts';`)[0] ?? '',
    /config\/ may not import workflows\//,
  );
  assert.match(
    wrong('agent/a.ts', `import type { X } from '../coordinator/b.ts';`)[0] ?? '',
    /agent\/ may not import coordinator\//,
  );
  assert.match(wrong('cmd/a.ts', `import { x } from '../test/support/b.ts';`)[0] ?? '', /only tests may import/);
  assert.match(wrong('cmd/a.ts', `import { x } from './b.test.ts';`)[0] ?? '', /only tests may import/);
  assert.match(wrong('shelf/a.ts', `import { x } from './b.ts';`)[0] ?? '', /no place in the layout/);
  assert.deepEqual(wrong('cmd/a.test.ts', `import { x } from '../test/support/b.ts';`), []);
});

test('workflows take nothing but the workflow API at run time', () => {
  assert.match(wrong('workflows/a.ts', `import { readFile } from 'node:fs';`)[0] ?? '', /as types only/);
  assert.deepEqual(wrong('workflows/a.ts', `import type { Stats } from 'node:fs';`), []);
  assert.deepEqual(wrong('workflows/a.ts', `import { sleep } from '@temporalio/workflow';`), []);
});

test('names a ring of imports', () => {
  const ring = wrongArrows([
    { file: 'config/a.ts', imports: importsOf(`import { b } from './b.ts';`) },
    { file: 'config/b.ts', imports: importsOf(`import { a } from './a.ts';`) },
    { file: 'config/c.ts', imports: importsOf(`import type { d } from './d.ts';`) },
    { file: 'config/d.ts', imports: importsOf(`import { c } from './c.ts';`) },
  ]);
  assert.deepEqual(ring, ['config/a.ts: imports itself around: config/a.ts → config/b.ts → config/a.ts']);
});
