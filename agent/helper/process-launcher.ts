import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLEAN_ENVIRONMENT } from '../actions/action.ts';
import type { Launcher } from '../launcher.ts';
import { attemptKey, type Ledger } from '../ledger.ts';
import { endStragglers, KILL_GRACE_MS } from '../process-group.ts';
import { ATTEMPT_VARIABLE, isRunning, type ProcessMark, signalAll } from '../procfs.ts';
import type { RunnerCommand } from './systemd-launcher.ts';

const POLL_MS = 50;

/** Each action under a process of its own, in a session of its own: what there is on a host without systemd. Nothing bounds it. */
export function createProcessLauncher(ledger: Ledger, runner: RunnerCommand): Launcher {
  return {
    kind: 'process',
    async start({ attempt }) {
      const [program = '', ...args] = runner;
      const child = spawn(program, [...args, attemptKey(attempt)], {
        cwd: '/',
        env: { ...CLEAN_ENVIRONMENT, [ATTEMPT_VARIABLE]: attemptKey(attempt) },
        detached: true,
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      await once(child, 'spawn');
      child.unref();
    },
    async stop(attempt) {
      const entry = await ledger.read(attempt).catch(() => null);
      if (entry?.kind !== 'begun') return;
      const { runner: mark } = entry;
      // It ends what it runs and says so; only one that does not is ended by force.
      if (mark !== null) await endInOrder(mark);
      await endStragglers(attemptKey(attempt), null);
    },
    look: async () => ({ active: false, killed: null }),
    forget: async () => undefined,
  };
}

async function endInOrder(mark: ProcessMark): Promise<void> {
  signalAll([mark], 'SIGTERM');
  for (let waited = 0; isRunning(mark) && waited < KILL_GRACE_MS + 1000; waited += POLL_MS) await sleep(POLL_MS);
}
