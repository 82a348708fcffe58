import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { KINDS } from './kinds.ts';
import type { Known } from './known.ts';
import { formatProblem } from './problem.ts';
import { validateFiles } from './validate.ts';

/**
 * Each file (or folder of files, judged together) of test/configs states in its first comments what must be said of it: every problem,
 * in order, as `# error: LINE:COLUMN part of the message` or `# warning: ...`; or `# loads`. `# kind: K` forces its kind.
 */
const ROOT = fileURLToPath(new URL('../test/configs/', import.meta.url));
const STATEMENT =
  /^# (?:(?<severity>error|warning): (?<at>\d+:\d+) (?<part>.+)|(?<loads>loads)|kind: (?<kind>[a-z-]+))\r?$/;

const unit = { unit: { required: true } };
const known: Known = {
  actions: {
    ping: { named: {}, others: null },
    exec: { named: { command: { required: true } }, others: 'inputs of the command' },
    'systemd.restart': { named: unit, others: null },
    'systemd.stop': { named: unit, others: null },
  },
  changing: ['systemd.restart', 'systemd.stop'],
  typescriptWorkflows: ['good-typescript-example'],
};

type Stated = { readonly lines: readonly string[]; readonly loads: boolean; readonly kind: string | null };

function statedBy(text: string): Stated {
  const lines: string[] = [];
  let loads = false;
  let kind: string | null = null;
  for (const line of text.replace(/^\ufeff/, '').split('\n')) {
    const groups = STATEMENT.exec(line)?.groups;
    if (groups === undefined) break;
    if (groups['loads'] !== undefined) loads = true;
    else if (groups['kind'] !== undefined) kind = groups['kind'];
    else lines.push(`${groups['severity']} ${groups['at']} ${groups['part']}`);
  }
  return { lines, loads, kind };
}

for (const entry of await readdir(ROOT, { withFileTypes: true })) {
  if (entry.name === 'field') continue;
  test(`test/configs/${entry.name} is judged as it says`, async () => {
    const path = join(ROOT, entry.name);
    const files = entry.isDirectory() ? (await readdir(path)).sort().map((name) => join(path, name)) : [path];
    const stated = await Promise.all(files.map(async (file) => ({ file, ...statedBy(await readFile(file, 'utf8')) })));
    const expected = stated.flatMap(({ file, lines }) => lines.map((line) => ({ file, line })));
    assert.ok(
      expected.length > 0 || stated.some(({ loads }) => loads),
      'states nothing: write "# error: LINE:COLUMN text" or "# loads" first',
    );
    const kind = KINDS.find((candidate) => candidate === stated[0]?.kind);
    const { problems } = await validateFiles([path], { known, kind });
    const all = problems.map(formatProblem).join('\n');
    const found = problems.map(({ place, severity, message }, index) => {
      const line = expected[index]?.line ?? '';
      const [, part = ''] = /^\w+ \d+:\d+ (.+)$/.exec(line) ?? [];
      const shown = part !== '' && message.includes(part) ? part : message;
      return { file: place.file, line: `${severity} ${place.line}:${place.column} ${shown}` };
    });
    assert.deepEqual(found, expected, all);
  });
}
