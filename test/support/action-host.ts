/** What actions are handed, for their own tests: a host on which every program is `/bin/false`, and runs of real programs. */
import assert from 'node:assert/strict';
import { type ActionHost, type ActionRun, type Programs, PROGRAMS } from '../../agent/actions/action.ts';
import { ALL_ACTIONS } from '../../agent/actions/all-actions.ts';
import { pageOf } from '../../agent/actions/reference.ts';
import { runProcess } from '../../agent/process-group.ts';
import type { ActionOutput } from '../../workflows/contract.ts';

/** Nothing on it works; a test puts in what it needs: `{ ...BARE_HOST, systemctl }`. */
export const BARE_HOST: ActionHost = {
  facts: { bootId: 'boot', machineId: 'machine', agentVersion: '1' },
  commands: new Map(),
  clean: new Map(),
  secretsDir: null,
  diagnosticsDir: '/nonexistent/diagnostics',
  ...(Object.fromEntries(Object.keys(PROGRAMS).map((name) => [name, '/bin/false'])) as Programs),
};

/** Fails for a fact that docs/actions.md does not name. Gives `end` back. */
export function documented<T extends { readonly output: ActionOutput }>(name: string, end: T): T {
  const named = Object.keys(pageOf(ALL_ACTIONS.get(name)).facts).flatMap((facts) => facts.split(', '));
  const known = (fact: string): boolean =>
    named.some((each) => (each.endsWith('*') ? fact.startsWith(each.slice(0, -1)) : fact === each));
  for (const fact of Object.keys(end.output.facts))
    assert.ok(known(fact), `${name}: the fact ${fact} is not in its page`);
  return end;
}

export function actionRun(
  timeoutMs = 30_000,
  signal: AbortSignal = new AbortController().signal,
  secrets: readonly string[] = [],
): ActionRun {
  const until = performance.now() + timeoutMs;
  return {
    timeoutMs,
    signal,
    secrets,
    run: ({ timeoutMs: own = Infinity, secrets: more = [], ...line }) =>
      runProcess({
        ...line,
        timeoutMs: Math.max(0, Math.min(own, until - performance.now())),
        signal,
        attemptKey: `action-test-${process.pid}`,
        secrets: [...secrets, ...more],
        onSpawn: () => undefined,
      }),
  };
}
