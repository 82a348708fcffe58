/**
 * `npm run setup`: everything a fresh clone needs, each step skipped when it is done. Needs Node 20 and nothing else.
 * Set-ups that run at once wait for one another: the work is done under a kernel lock, which a crash releases.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { debian } from './debian.mjs';
import { dependencies, node24 } from './dependencies.mjs';
import { TOOLS } from './places.mjs';
import { alertmanager, prometheus } from './prometheus.mjs';
import { Progress, SetupError } from './step.mjs';
import { temporal } from './temporal.mjs';

const OLDEST_NODE = 20;
const FLOCK = '/usr/bin/flock';
const LOCKED = 75;
const WITHOUT_HOSTS = '--without-hosts';
const STEPS = [dependencies, node24, temporal, prometheus, alertmanager];
/** Only tests and drills boot hosts: the demo and the checks need not wait for one to be built. */
const HOST_STEPS = [...STEPS, debian];

/** @param {boolean} hosts */
const stepsFor = (hosts) => (hosts ? HOST_STEPS : STEPS);

/** Whether anything is left to do; takes milliseconds. @param {boolean} hosts also what boots hosts */
export const setupNeeded = (hosts) => stepsFor(hosts).some((step) => step.missing() !== null);

/** Does what is left to do. @param {boolean} hosts also what boots hosts @returns {Promise<number>} exit code */
export async function setUp(hosts) {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < OLDEST_NODE) {
    process.stderr.write(
      `set-up: Node ${process.versions.node} is too old: ${OLDEST_NODE} or newer is needed to begin\n`,
    );
    return 1;
  }
  if (process.platform !== 'linux') {
    process.stderr.write(`set-up: ${process.platform} is not supported: Fettle runs on Linux (glibc)\n`);
    return 1;
  }
  if (!setupNeeded(hosts)) return 0;
  if (process.env['FETTLE_SETUP_LOCKED'] === '1' || !existsSync(FLOCK)) return await work(hosts);
  mkdirSync(TOOLS, { recursive: true });
  const alone = underLock(hosts, ['--nonblock', '--conflict-exit-code', String(LOCKED)]);
  if (alone !== LOCKED) return alone;
  process.stderr.write('set-up: another set-up is at work in this checkout; waiting for it\n');
  return underLock(hosts, []);
}

/** @param {boolean} hosts @param {string[]} flags @returns {number} */
function underLock(hosts, flags) {
  const self = fileURLToPath(import.meta.url);
  const argv = [
    ...flags,
    '--close',
    path.join(TOOLS, 'setup.lock'),
    process.execPath,
    self,
    ...(hosts ? [] : [WITHOUT_HOSTS]),
  ];
  // Standard output belongs to the program that set-up makes way for.
  const { status } = spawnSync(FLOCK, argv, {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, FETTLE_SETUP_LOCKED: '1' },
  });
  return status ?? 1;
}

/** @param {boolean} hosts */
async function work(hosts) {
  for (const step of stepsFor(hosts)) {
    const why = step.missing();
    if (why === null) continue;
    const progress = new Progress(step.name, why);
    try {
      progress.done(await step.make(progress));
    } catch (error) {
      progress.stop();
      if (!(error instanceof SetupError)) throw error;
      process.stderr.write(`set-up: ${step.name}: ${error.message}\nset-up: to mend it, run: ${error.mend}\n`);
      return 1;
    }
  }
  return 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const hosts = !process.argv.includes(WITHOUT_HOSTS);
  const fresh = setupNeeded(hosts);
  process.exitCode = await setUp(hosts);
  if (process.exitCode === 0 && process.env['FETTLE_SETUP_LOCKED'] !== '1') {
    process.stderr.write(fresh ? 'set-up: all in place\n' : 'set-up: all was in place\n');
  }
}
