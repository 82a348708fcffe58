/** Recorded histories must replay with the workflow code as it is: a released workflow changes only by `patched()`. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { Worker } from '@temporalio/worker';
import { loadWorkflowBundle } from '../coordinator/workflow-bundle.ts';
import { historiesDir } from './support/histories.ts';

const files = (await readdir(historiesDir)).filter((name) => name.endsWith('.json'));

describe('recorded histories', () => {
  it('cover the gate, runbooks on every path and TypeScript workflows', () => {
    for (const needed of [
      'gate.json',
      'heal.json',
      'failing.json',
      'not-helping.json',
      'slow.json',
      'anywhere.json',
      'pending.json',
      'restart-if-down.json',
    ]) {
      assert.ok(files.includes(needed), `${needed} is missing: FETTLE_RECORD=1 npm test -- workflow-paths`);
    }
  });

  for (const file of files) {
    it(`${file} replays`, async () => {
      const history: unknown = JSON.parse(await readFile(path.join(historiesDir, file), 'utf8'));
      await Worker.runReplayHistory({ workflowBundle: await loadWorkflowBundle() }, history);
    });
  }
});
