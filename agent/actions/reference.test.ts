import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { BARE_HOST } from '../../test/support/action-host.ts';
import { RefusalError } from '../refusal.ts';
import { ALL_ACTIONS } from './all-actions.ts';
import { actionsReference, pageOf } from './reference.ts';

test('docs/actions.md is what the actions say of themselves', async () => {
  const page = await readFile(new URL('../../docs/actions.md', import.meta.url), 'utf8').catch(() => '');
  assert.ok(
    page === actionsReference(),
    'docs/actions.md differs from the actions; run: node agent/actions/write-reference.ts',
  );
});

for (const action of ALL_ACTIONS.values())
  test(`the example of ${action.name} is one that an agent takes`, () => {
    try {
      action.prepare(pageOf(action).example, BARE_HOST);
    } catch (error) {
      // What only this very host lacks: a command or clean block of that name.
      assert.ok(
        error instanceof RefusalError &&
          /^(?:exec: this host defines no|disk.clean: the agent's file)/.test(error.message),
        String(error),
      );
    }
  });
