/**
 * Prometheus and Alertmanager: the PATH's, else Debian's packages, fetched and unpacked into `.tools` without root and without
 * installing (so no service is started): both programs need nothing beside libc.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { hasTool, linkTool, onPath, TOOLS } from './places.mjs';
import { run, SetupError } from './step.mjs';

/** @param {string} name @param {string} command @param {string} debian @returns {import('./step.mjs').Step} */
const server = (name, command, debian) => ({
  name,
  missing: () => (hasTool(command) ? null : 'looking for it'),
  async make(progress) {
    const found = onPath(command, debian) ?? (await unpack(debian, progress));
    linkTool(command, found);
    return found;
  },
});

/** @param {string} debian name of the package and of the program in it @param {import('./step.mjs').Progress} progress */
async function unpack(debian, progress) {
  const home = path.join(TOOLS, debian);
  const program = path.join(home, 'usr/bin', debian);
  if (!existsSync(program)) await fetchAndUnpack(debian, home, progress);
  const { code, output } = await run([program, '--version'], { timeoutMs: 20_000 });
  if (code !== 0) throw new SetupError(`${debian} was unpacked but does not run:\n${output}`, mend(debian));
  return program;
}

/** @param {string} debian @param {string} home @param {import('./step.mjs').Progress} progress */
async function fetchAndUnpack(debian, home, progress) {
  const partial = `${home}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(path.join(partial, 'unpacked'), { recursive: true });
  const options = privateApt();
  progress.note('Debian package lists');
  const update = await run(['apt-get', ...options, 'update'], { progress });
  if (update.code === 127) throw new SetupError(`no apt-get here; put ${debian} on the PATH`, 'npm run setup');
  progress.note(`Debian package ${debian}`);
  const fetched = await run(['apt-get', ...options, 'download', debian], { cwd: partial, progress });
  const file = readdirSync(partial).find((entry) => entry.endsWith('.deb'));
  if (fetched.code !== 0 || !file) {
    throw new SetupError(`apt-get could not fetch ${debian}:\n${update.output}\n${fetched.output}`, mend(debian));
  }
  const unpacked = await run(['dpkg-deb', '-x', path.join(partial, file), path.join(partial, 'unpacked')]);
  if (unpacked.code !== 0) throw new SetupError(`${file} could not be unpacked:\n${unpacked.output}`, mend(debian));
  rmSync(home, { recursive: true, force: true });
  renameSync(path.join(partial, 'unpacked'), home);
  rmSync(partial, { recursive: true, force: true });
}

/** apt with lists and cache of our own, so that it needs no root and leaves the machine's as they are. */
function privateApt() {
  const state = path.join(TOOLS, 'apt');
  mkdirSync(path.join(state, 'lists/partial'), { recursive: true });
  mkdirSync(path.join(state, 'cache/archives/partial'), { recursive: true });
  return [
    `Dir::State::lists=${state}/lists`,
    `Dir::Cache=${state}/cache`,
    'Debug::NoLocking=1',
    // As root, apt would fetch as a user that may not enter the checkout.
    ...(process.getuid?.() === 0 ? ['APT::Sandbox::User=root'] : []),
  ].flatMap((option) => ['-o', option]);
}

/** @param {string} debian */
const mend = (debian) => `sudo apt-get install -y --no-install-recommends ${debian}`;

export const prometheus = server('Prometheus', 'prometheus', 'prometheus');
export const alertmanager = server('Alertmanager', 'alertmanager', 'prometheus-alertmanager');
