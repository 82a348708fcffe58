/**
 * `package.json` pins exact versions; `package-lock.json` names no download addresses and leaves no dependency out. A registry
 * that mirrors only some platforms makes npm leave the other platforms' optional packages out of the lockfile, and then `npm ci`
 * refuses the lockfile everywhere: `node test/check/lockfile.ts --mend` writes those entries (they are never installed here).
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ROOT } from './root.ts';

type Entry = {
  version?: string;
  resolved?: string;
  cpu?: string[];
  os?: string[];
  libc?: string[];
  optional?: boolean;
  dev?: boolean;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
};
type Lockfile = { packages: Record<string, Entry> };
type Manifest = { dependencies: Record<string, string>; devDependencies: Record<string, string> };

const LOCKFILE = path.join(ROOT, 'package-lock.json');
const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;
const PLATFORM =
  /(?<os>darwin|win32|linux|android|freebsd|openharmony|aix|sunos|openbsd|netbsd)-(?<cpu>[a-z0-9]+)(-(?<abi>\w+))?$/;

/** @returns every problem, each with what to do about it */
export async function checkLockfile(): Promise<string[]> {
  const lockfile: Lockfile = JSON.parse(await readFile(LOCKFILE, 'utf8'));
  const manifest: Manifest = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8'));
  const problems: string[] = [];
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    if (!EXACT.test(version)) problems.push(`package.json: ${name}: "${version}" is not one exact version; write one`);
    const locked = lockfile.packages[`node_modules/${name}`]?.version;
    if (locked !== version)
      problems.push(`package-lock.json: ${name} is ${locked}, package.json says ${version}; run npm install`);
  }
  const root = lockfile.packages[''];
  const same =
    isDeepStrictEqual(root?.dependencies, manifest.dependencies) &&
    isDeepStrictEqual(root?.devDependencies, manifest.devDependencies);
  if (!same) problems.push('package-lock.json: asks for other packages than package.json; run npm install');
  for (const [place, entry] of Object.entries(lockfile.packages)) {
    if (entry.resolved) problems.push(`package-lock.json: ${place} holds a download address; remove "resolved"`);
  }
  for (const { place, version } of missing(lockfile)) {
    problems.push(`package-lock.json: no ${place} ${version}; run: node test/check/lockfile.ts --mend`);
  }
  return problems;
}

/** Optional packages that some locked package names and for which no place in the tree has an entry. */
function missing(lockfile: Lockfile): { place: string; version: string; dev: boolean }[] {
  return Object.entries(lockfile.packages).flatMap(([from, entry]) =>
    Object.entries(entry.optionalDependencies ?? {})
      .filter(([name]) => !placesFor(from, name).some((place) => lockfile.packages[place]))
      .map(([name, version]) => ({ place: `node_modules/${name}`, version, dev: entry.dev === true })),
  );
}

/** Where Node would look for a package that `from` imports, nearest first. */
function placesFor(from: string, name: string): string[] {
  const parts = from.split('/node_modules/');
  const inner = parts.map(
    (_, index) => `${parts.slice(0, parts.length - index).join('/node_modules/')}/node_modules/${name}`,
  );
  return [...inner, `node_modules/${name}`];
}

async function mendLockfile(): Promise<void> {
  const lockfile: Lockfile = JSON.parse(await readFile(LOCKFILE, 'utf8'));
  for (const { place, version, dev } of missing(lockfile))
    lockfile.packages[place] = platformEntry(place, version, dev);
  const places = Object.keys(lockfile.packages).toSorted((a, b) => a.localeCompare(b, 'en'));
  const packages = Object.fromEntries(places.map((place) => [place, lockfile.packages[place]]));
  await writeFile(LOCKFILE, `${JSON.stringify({ ...lockfile, packages }, null, 2)}\n`);
}

function platformEntry(place: string, version: string, dev: boolean): Entry {
  const platform = PLATFORM.exec(place)?.groups;
  if (!platform?.['os'] || !platform['cpu']) throw new Error(`${place} names no platform; write its entry by hand`);
  const libc = platform['abi'] === 'musl' ? { libc: ['musl'] } : platform['os'] === 'linux' ? { libc: ['glibc'] } : {};
  return { version, cpu: [platform['cpu']], ...(dev && { dev }), ...libc, optional: true, os: [platform['os']] };
}

if (import.meta.main && process.argv.includes('--mend')) await mendLockfile();
