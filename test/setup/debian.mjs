/**
 * A small Debian that tests boot with systemd-nspawn (test/support/booted-host.ts): a plain folder in `.tools`, named by its
 * recipe, never written to after it is made. Needs root and Debian's own tools; where these cannot be, nothing is made and the
 * tests that want it say so.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { onPath, TOOLS } from './places.mjs';
import { run, SetupError } from './step.mjs';

/** What a recipe holds beyond this is a server's own: an init system, a bus, logins, and what the drills break it with. */
const PACKAGES = ['systemd', 'systemd-sysv', 'dbus', 'libpam-systemd', 'iproute2', 'procps', 'faketime'];
/** A boot that waits for nothing: no timers, no terminals, no console questions. */
const MASKED = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'getty.target',
  'systemd-ask-password-console.path',
  'systemd-ask-password-wall.path',
  'systemd-update-utmp.service',
  'systemd-update-utmp-runlevel.service',
];
const SUITE = 'bookworm';
const LEFT_OUT = ['/usr/share/man/*', '/usr/share/doc/*', '/usr/share/locale/*'];
/** Raised when `furnish` changes. */
const EDITION = 1;

const TOOLS_NEEDED = { mmdebstrap: 'mmdebstrap', 'systemd-nspawn': 'systemd-container' };
const RECIPE = createHash('sha256')
  .update(JSON.stringify([SUITE, PACKAGES, MASKED, LEFT_OUT, EDITION]))
  .digest('hex');

/** The folder that holds the tree. */
export const DEBIAN_TREE = path.join(TOOLS, `debian-${RECIPE.slice(0, 12)}`);

/** @returns {string | null} why this machine cannot boot a Debian of its own, whatever is installed */
export function cannotBoot() {
  if (process.getuid?.() !== 0) return 'only root can boot a host (systemd-nspawn); run as root to include it';
  if (!mayMount()) return 'nothing may be mounted here (no CAP_SYS_ADMIN); run in a privileged container to include it';
  if (!onPath('systemd-nspawn') && !onPath('apt-get')) {
    return 'systemd-nspawn is not on the PATH and there is no apt-get to install it with';
  }
  return null;
}

/** CAP_SYS_ADMIN, bit 21 of capabilities(7). */
function mayMount() {
  const held = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${held}`) >> 21n) & 1n) === 1n;
}

const packagesMissing = () =>
  Object.entries(TOOLS_NEEDED).flatMap(([program, debian]) => (onPath(program) ? [] : [debian]));

/** @type {import('./step.mjs').Step} */
export const debian = {
  name: 'Debian to boot',
  missing() {
    if (cannotBoot() !== null) return null;
    if (!onPath('systemd-nspawn')) return 'installing systemd-container';
    return existsSync(DEBIAN_TREE) ? null : `a ${SUITE} with ${PACKAGES.length} packages, about a minute`;
  },
  async make(progress) {
    if (packagesMissing().length > 0) await installTools(progress);
    if (!existsSync(DEBIAN_TREE)) await makeTree(progress);
    return `${SUITE}, ${DEBIAN_TREE}`;
  },
};

/** @param {import('./step.mjs').Progress} progress */
async function installTools(progress) {
  const wanted = packagesMissing();
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  progress.note(`apt-get install ${wanted.join(' ')}`);
  const install = ['apt-get', 'install', '-y', '--no-install-recommends', ...wanted];
  if ((await run(install, { progress, env })).code !== 0) await run(['apt-get', 'update'], { progress, env });
  if (packagesMissing().length === 0) return;
  const { code, output } = await run(install, { progress, env });
  if (code === 0 && packagesMissing().length === 0) return;
  throw new SetupError(`${wanted.join(' and ')} could not be installed:\n${output}`, install.join(' '));
}

/** @param {import('./step.mjs').Progress} progress */
async function makeTree(progress) {
  const partial = `${DEBIAN_TREE}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(TOOLS, { recursive: true });
  progress.note(`mmdebstrap ${SUITE}`);
  const leftOut = LEFT_OUT.map((pattern) => `--dpkgopt=path-exclude=${pattern}`);
  const argv = ['mmdebstrap', '--variant=minbase', `--include=${PACKAGES.join(',')}`, ...leftOut, SUITE, partial];
  const { code, output } = await run(argv, { progress });
  if (code !== 0) throw new SetupError(`mmdebstrap failed:\n${output}`, 'npm run setup');
  furnish(partial);
  for (const old of readdirSync(TOOLS).filter((name) => /^debian-[0-9a-f]{12}$/.test(name))) {
    rmSync(path.join(TOOLS, old), { recursive: true, force: true });
  }
  renameSync(partial, DEBIAN_TREE);
}

/** @param {string} tree */
function furnish(tree) {
  /** @param {string} name @param {string} text */
  const write = (name, text) => {
    mkdirSync(path.dirname(path.join(tree, name)), { recursive: true });
    writeFileSync(path.join(tree, name), text);
  };
  // Each host gets a machine id and a name of its own at its first boot.
  for (const name of ['etc/hostname', 'etc/resolv.conf']) rmSync(path.join(tree, name), { force: true });
  write('etc/machine-id', '');
  mkdirSync(path.join(tree, 'var/log/journal'), { recursive: true });
  write(
    'etc/systemd/journald.conf.d/tests.conf',
    '[Journal]\nStorage=persistent\nRateLimitBurst=0\nSystemMaxUse=64M\n',
  );
  write('etc/systemd/system.conf.d/tests.conf', '[Manager]\nDefaultTimeoutStopSec=10s\nCrashReboot=no\n');
  for (const unit of MASKED) {
    rmSync(path.join(tree, 'etc/systemd/system', unit), { force: true });
    symlinkSync('/dev/null', path.join(tree, 'etc/systemd/system', unit));
  }
}
