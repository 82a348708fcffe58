/** The remedies that ship with Fettle load as they are. That they heal is shown on hosts. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { loadWorkflows } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import { ACTION_ARGUMENTS } from '../workflows/action-arguments.ts';
import { TYPESCRIPT_WORKFLOWS } from '../workflows/typescript-workflows.ts';

const folder = path.join(import.meta.dirname, '..', 'workflows', 'remedies');

describe('shipped remedies', async () => {
  for (const name of await readdir(folder)) {
    it(`${name} loads without a word`, async () => {
      const known = {
        actions: ACTION_ARGUMENTS,
        typescriptWorkflows: TYPESCRIPT_WORKFLOWS,
        sources: ['prometheus.main'],
      };
      const { config, problems } = await loadWorkflows([path.join(folder, name)], known);
      assert.deepEqual(problems.map(formatProblem), []);
      assert.equal(config?.length, 1);
    });
  }

  it('have a file for each workflow written in TypeScript', async () => {
    const names = await readdir(folder);
    for (const name of TYPESCRIPT_WORKFLOWS) assert.ok(names.includes(`${name}.hcl`), name);
  });
});
