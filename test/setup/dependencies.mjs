/** npm packages as the lockfile says, and the Node 24 that is one of them. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { onPath, NODE_BIN, replaceLink, ROOT } from './places.mjs';
import { run, SetupError } from './step.mjs';

/** @typedef {Record<string, { version?: string, optional?: boolean, peer?: boolean }>} Packages */

/** @param {string} file @returns {Packages | null} */
function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(path.join(ROOT, file), 'utf8')).packages;
  } catch {
    return null;
  }
}

/** npm writes its own account of what it installed last of all, so an interrupted install has none. */
function dependenciesMissing() {
  const wanted = packagesOf('package-lock.json') ?? {};
  const installed = packagesOf('node_modules/.package-lock.json');
  if (!installed) return 'not installed yet';
  for (const [name, { version }] of Object.entries(installed)) {
    if (wanted[name]?.version !== version) return `${name} ${version} is not what package-lock.json says`;
  }
  for (const [name, { optional }] of Object.entries(wanted)) {
    if (name && !optional && !installed[name]) return `${name} is not installed`;
  }
  return null;
}

/**
 * Install scripts stay off, whichever npm this is: the one that matters (Node 24) is the next step, and a grammar's would
 * compile C for an API that is not used.
 * @param {import('./step.mjs').Progress} progress
 */
async function installDependencies(progress) {
  const flags = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=http'];
  const { code, output } = await run([...npm(), ...flags], { cwd: ROOT, progress });
  if (code !== 0) throw new SetupError(`npm ci failed:\n${output}`, 'npm ci --ignore-scripts');
  const left = dependenciesMissing();
  if (left) throw new SetupError(`after npm ci, ${left}`, 'rm -rf node_modules && npm run setup');
  return `${Object.keys(packagesOf('node_modules/.package-lock.json') ?? {}).length} packages`;
}

/** The npm on the PATH; else the one that started us. */
function npm() {
  if (onPath('npm')) return ['npm'];
  const script = process.env['npm_execpath'];
  if (script && existsSync(script)) return [process.execPath, script];
  throw new SetupError('npm is not on the PATH', 'sudo apt-get install -y npm');
}

const wantedNode = () => packagesOf('package-lock.json')?.['node_modules/node']?.version ?? 'unknown';
const nodeFile = () => path.join(NODE_BIN, 'node');
const binLink = () => path.join(ROOT, 'node_modules/.bin/node');

function nodeMissing() {
  if (!existsSync(nodeFile())) return `placing Node ${wantedNode()}`;
  return existsSync(binLink()) ? null : 'linking it';
}

/**
 * The npm package `node` holds only a script that fetches the build for this processor.
 * @param {import('./step.mjs').Progress} progress
 */
async function placeNode(progress) {
  const cwd = path.join(ROOT, 'node_modules/node');
  const mend = 'rm -rf node_modules && npm run setup';
  if (!existsSync(nodeFile())) {
    rmSync(path.join(cwd, 'node_modules'), { recursive: true, force: true });
    // A checkout that is set up runs this with the Node that npm has just taken away.
    const node = existsSync(process.execPath) ? process.execPath : (onPath('node') ?? process.execPath);
    const { code, output } = await run([node, 'installArchSpecificPackage.js'], { cwd, progress });
    if (code !== 0 || !existsSync(nodeFile())) throw new SetupError(`Node could not be placed:\n${output}`, mend);
  }
  const { code, output } = await run([nodeFile(), '--version']);
  if (code !== 0 || output.trim() !== `v${wantedNode()}`) {
    throw new SetupError(`node_modules/node/bin/node does not run as v${wantedNode()}:\n${output}`, mend);
  }
  replaceLink(binLink(), '../node/bin/node');
  return output.trim();
}

/** @type {import('./step.mjs').Step} */
export const dependencies = { name: 'dependencies', missing: dependenciesMissing, make: installDependencies };
/** @type {import('./step.mjs').Step} */
export const node24 = { name: 'Node 24', missing: nodeMissing, make: placeNode };
