/**
 * `npm test`: the checks, then every test. `npm test -- gate` runs only the test files whose path holds "gate", without the
 * checks; options (`--test-name-pattern=...`) go to Node's test runner.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { runChecks } from './check/check.ts';
import { ROOT } from './check/root.ts';
import { sourceFiles } from './check/source-files.ts';
import { watchLeftovers } from './leftovers.ts';

/** Test files at a time: each may start servers of its own. */
const CONCURRENCY = 2;
/** A file that takes longer hangs. */
const FILE_TIMEOUT_MS = 15 * 60_000;

const options = process.argv.slice(2).filter((argument) => argument.startsWith('-'));
const words = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const all = (await sourceFiles()).filter((file) => file.endsWith('.test.ts'));
const files = all.filter((file) => words.length === 0 || words.some((word) => file.includes(word)));

const checked = words.length > 0 || (await runChecks());
const failures = checked ? [] : ['the checks, see above'];
const closing = await runTests(failures);
for (const failure of failures) process.stdout.write(`FAILED: ${failure}\n`);
process.stdout.write(`\n${closing}\n`);
if (failures.length > 0) process.exitCode = 1;

/** Adds to `failures` what went wrong. @returns Node's closing lines */
async function runTests(failures: string[]): Promise<string> {
  if (files.length === 0) {
    failures.push(`no test file's path holds ${words.join(' or ')}`);
    return '# tests 0';
  }
  process.stdout.write(`${files.length} test files, ${CONCURRENCY} at a time\n`);
  const leftovers = watchLeftovers(randomUUID());
  const report = path.join(ROOT, '.tools', `test-${process.pid}.tap`);
  await mkdir(path.dirname(report), { recursive: true });
  if (!(await runNodeTest(report, leftovers))) failures.push('tests, see above');
  const left = await leftovers.end();
  if (left.length > 0) failures.push(`the tests left processes behind:\n${left.join('\n')}`);
  const lines = await closingLines(report);
  await rm(report);
  return lines;
}

function runNodeTest(report: string, leftovers: ReturnType<typeof watchLeftovers>): Promise<boolean> {
  const forPeople = ['--test-reporter=spec', '--test-reporter-destination=stdout'];
  const forCounting = ['--test-reporter=tap', `--test-reporter-destination=${report}`];
  const limits = [`--test-concurrency=${CONCURRENCY}`, `--test-timeout=${FILE_TIMEOUT_MS}`];
  const env = { ...process.env, ...leftovers.env };
  const argv = ['--test', ...limits, ...forPeople, ...forCounting, ...options, ...files];
  const child = spawn(process.execPath, argv, { cwd: ROOT, stdio: 'inherit', env });
  if (child.pid !== undefined) leftovers.watch(child.pid);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.on('close', (code) => resolve(code === 0));
  });
}

/** Node's own count: `# tests N`, `# pass N`, `# fail N`. */
async function closingLines(report: string): Promise<string> {
  const lines = (await readFile(report, 'utf8')).trimEnd().split('\n');
  const first = lines.findLastIndex((line) => line.startsWith('# tests '));
  return lines.slice(first).join('\n');
}
