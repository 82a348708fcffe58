import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { test } from 'node:test';
import { loadWorkflowBundle } from './workflow-bundle.ts';

test('a checkout has a workflow bundle that holds every workflow, and builds it once', async () => {
  const { codePath } = await loadWorkflowBundle();
  const code = await readFile(codePath, 'utf8');
  for (const source of ['workflows/gate.ts', 'workflows/runbook.ts']) assert.ok(code.includes(source), source);
  const map = Buffer.from(/;base64,([\w+/=]+)/.exec(code)?.[1] ?? '', 'base64').toString('utf8');
  assert.ok(
    map.includes('"workflows/gate.ts"') && !map.includes(process.cwd()),
    'sources are named from the checkout on',
  );
  const { mtimeMs } = await stat(codePath);
  assert.deepEqual(await loadWorkflowBundle(), { codePath });
  assert.equal((await stat(codePath)).mtimeMs, mtimeMs);
});
