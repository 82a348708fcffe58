/** `npm run check`: everything that can be known without running the program. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { checkArrows } from './arrows.ts';
import { checkDocs } from './docs.ts';
import { checkLockfile } from './lockfile.ts';
import { ROOT } from './root.ts';

type Check = { readonly name: string; readonly problems: () => Promise<string[]> };

const CHECKS: readonly Check[] = [
  { name: 'types', problems: () => tool('tsc', '--project', '.', '--pretty', 'false') },
  { name: 'lint', problems: () => tool('oxlint', '--max-warnings', '0') },
  { name: 'format', problems: () => tool('oxfmt', '--check') },
  { name: 'arrows', problems: checkArrows },
  { name: 'dead exports', problems: () => tool('knip', '--no-progress') },
  { name: 'documents', problems: checkDocs },
  { name: 'lockfile', problems: checkLockfile },
];

/** Runs all checks at once and prints each as it ends. @returns whether all is well */
export async function runChecks(): Promise<boolean> {
  const results = await Promise.all(CHECKS.map(runCheck));
  return results.every(Boolean);
}

async function runCheck({ name, problems }: Check): Promise<boolean> {
  const began = performance.now();
  const found = await problems();
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const text =
    found.length === 0 ? `ok      ${name} (${seconds} s)` : `FAILED  ${name} (${seconds} s)\n${found.join('\n')}\n`;
  process.stdout.write(`${text}\n`);
  return found.length === 0;
}

/** Runs an installed tool. @returns its output when it complains */
function tool(name: string, ...args: string[]): Promise<string[]> {
  return new Promise((resolve) => {
    const file = path.join(ROOT, 'node_modules/.bin', name);
    const child = spawn(file, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += String(chunk)));
    child.stderr.on('data', (chunk) => (output += String(chunk)));
    child.on('error', (error) => resolve([`${name} could not be run: ${error.message}; run: npm run setup`]));
    child.on('close', (code) => resolve(code === 0 ? [] : [output.trim() || `${name} ended with code ${code}`]));
  });
}

if (import.meta.main && !(await runChecks())) process.exitCode = 1;
