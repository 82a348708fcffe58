// What `systemctl restart` does, for a host without systemd: ends the old process, starts a new one, waits until it answers.
// usage: node restart-web.mjs PORT PIDFILE
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const [port, pidFile] = process.argv.slice(2);

const alive = (pid) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

async function end(pid) {
  for (const [signal, patience] of [
    ['SIGTERM', 300],
    ['SIGKILL', 5_000],
  ]) {
    if (!alive(pid)) return;
    console.log(`${signal} to ${pid}`);
    process.kill(pid, signal);
    for (let waited = 0; waited < patience && alive(pid); waited += 20) await delay(20);
  }
}

await end(Number(readFileSync(pidFile, 'utf8')));
const service = path.join(import.meta.dirname, 'web-service.mjs');
const child = spawn(process.execPath, [service, port, pidFile], { detached: true, stdio: 'ignore' });
child.unref();
for (let look = 0; look < 100; look += 1) {
  const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(500) }).catch(() => null);
  if (answer?.ok) {
    console.log(`web service runs as ${child.pid}`);
    process.exit(0);
  }
  await delay(50);
}
console.log('the new web service does not answer');
process.exit(1);
