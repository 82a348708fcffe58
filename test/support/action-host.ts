/** What actions are handed, for their own tests: a host on which every program is `/bin/false`, and runs of real programs. */
import { type ActionHost, type ActionRun, type Programs, PROGRAMS } from '../../agent/actions/action.ts';
import { runProcess } from '../../agent/process-group.ts';

/** Nothing on it works; a test puts in what it needs: `{ ...BARE_HOST, systemctl }`. */
export const BARE_HOST: ActionHost = {
  facts: { bootId: 'boot', machineId: 'machine', agentVersion: '1' },
  commands: new Map(),
  clean: new Map(),
  secretsDir: null,
  diagnosticsDir: '/nonexistent/diagnostics',
  ...(Object.fromEntries(Object.keys(PROGRAMS).map((name) => [name, '/bin/false'])) as Programs),
};

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
