/** Every HCL example of the documents loads, as the part of a file that it is. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { formatProblem } from '../config/problem.ts';
import { validateFiles } from '../config/validate.ts';
import { ACTION_ARGUMENTS } from '../workflows/action-arguments.ts';
import { ROOT } from './check/root.ts';

const DOCS = path.join(ROOT, 'docs');
const EXAMPLE = /^```hcl\n(?<text>.*?)^```$/gms;
/** What a part of a workflow file leaves out, in the order in which it is given back. */
const IDENTITY = 'identity {\n  certificate = "svid.pem"\n  key = "svid.key"\n  bundle = "bundle.pem"\n}\n';
const LISTENS = 'server_config {\n  listen = "127.0.0.1:7443"\n}\n';
const LEFT_OUT: readonly (readonly [needed: RegExp, there: RegExp, text: string])[] = [
  [/^(?:agent_tokens \{|  token_from )/m, /^identity /m, IDENTITY],
  [/^agent_tokens \{/m, /^grant_key /m, `grant_key = "grant.key"\n${LISTENS}`],
  [/\binput\.unit\b/, /^input "unit"/m, 'input "unit" {}\n'],
  [/^\s+of\s+= "traffic-off"/m, /^step "traffic-off"/m, 'step "traffic-off" {\n  action = "ping"\n}\n'],
  [
    /^(?:constraint|input|undo|verify|on_failure|override|mode|max_pending)\b/m,
    /^step "/m,
    'step "any" {\n  action = "ping"\n}\n',
  ],
];

for (const document of (await readdir(DOCS)).filter((name) => name.endsWith('.md') && name !== 'configuration.md')) {
  const text = await readFile(path.join(DOCS, document), 'utf8');
  for (const example of text.matchAll(EXAMPLE)) {
    const line = text.slice(0, example.index).split('\n').length;
    test(`docs/${document}:${line} loads`, async (context) => {
      const folder = await mkdtemp(path.join(tmpdir(), 'fettle-documented-'));
      context.after(() => rm(folder, { recursive: true }));
      const file = path.join(folder, 'example.hcl');
      let whole = example.groups?.['text'] ?? '';
      for (const [needed, there, more] of LEFT_OUT) if (needed.test(whole) && !there.test(whole)) whole += more;
      await writeFile(file, whole);
      const { problems } = await validateFiles([file], { known: { actions: ACTION_ARGUMENTS } });
      assert.deepEqual(problems.map(formatProblem), []);
    });
  }
}
