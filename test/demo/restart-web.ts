/**
 * What `systemctl restart` does, for a host without systemd: ends the old process, starts a new one, waits until it answers.
 * `node restart-web.ts PORT PIDFILE`
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive } from './alive.ts';

const [port = '', pidFile = ''] = process.argv.slice(2);

const PATIENCE = { SIGTERM: 300, SIGKILL: 5_000 } as const;

async function end(pid: number): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!isAlive(pid)) return;
    console.log(`${signal} to ${pid}`);
    process.kill(pid, signal);
    for (let waited = 0; waited < PATIENCE[signal] && isAlive(pid); waited += 20) await delay(20);
  }
}

await end(Number(readFileSync(pidFile, 'utf8')));
const service = path.join(import.meta.dirname, 'web-service.ts');
const child = spawn(process.execPath, [service, port, pidFile], { detached: true, stdio: 'ignore' });
child.unref();
process.exitCode = 1;
for (let look = 0; look < 100 && process.exitCode !== 0; look += 1) {
  const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(500) }).catch(() => null);
  if (answer?.ok === true) {
    console.log(`web service runs as ${child.pid}`);
    process.exitCode = 0;
  } else await delay(50);
}
