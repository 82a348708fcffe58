/** What actions are handed, for their own tests: a host on which every program is `/bin/false`, and runs of real programs. */
import type { ActionHost, ActionRun } from '../../agent/actions/action.ts';
import { runProcess } from '../../agent/process-group.ts';

/** Nothing on it works; a test puts in what it needs: `{ ...BARE_HOST, systemctl }`. */
export const BARE_HOST: ActionHost = {
  facts: { bootId: 'boot', machineId: 'machine', agentVersion: '1' },
  commands: new Map(),
  systemctl: '/bin/false',
  journalctl: '/bin/false',
  loginctl: '/bin/false',
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
    run: ({ timeoutMs: own = Infinity, ...line }) =>
      runProcess({
        ...line,
        timeoutMs: Math.max(0, Math.min(own, until - performance.now())),
        signal,
        attemptKey: `action-test-${process.pid}`,
        secrets,
        onSpawn: () => undefined,
      }),
  };
}
