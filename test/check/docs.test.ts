import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anchorsOf, commandBlocks, linksOf } from './markdown.ts';

test('a command block is known by the comment before it', () => {
  const fence = '```';
  const page = [
    '<!-- run -->',
    `${fence}sh`,
    './fettle --version',
    fence,
    '',
    '<!-- run: demo-kept -->',
    '',
    `${fence}sh`,
    './fettle ps',
    fence,
    '<!-- not run: needs root on a real host -->',
    `${fence}sh`,
    'apt-get install',
    fence,
    'Some text.',
    `${fence}sh`,
    'ls',
    fence,
    `${fence}hcl`,
    'step "x" {}',
    fence,
  ].join('\n');
  assert.deepEqual(
    commandBlocks('README.md', page).map(({ line, text, mark }) => [line, text, mark.kind, mark.reason]),
    [
      [2, './fettle --version', 'run', ''],
      [8, './fettle ps', 'demo-kept', 'demo-kept'],
      [12, 'apt-get install', 'not-run', 'needs root on a real host'],
      [16, 'ls', 'unmarked', ''],
    ],
  );
});

test('headings get the anchors that code hosts give them', () => {
  const page =
    '# What it is\n## `fettle run`: a remedy\n## Twice\n## Twice\n```sh\n# no heading\n```\n<a id="own"></a>\n';
  assert.deepEqual([...anchorsOf(page)], ['what-it-is', 'fettle-run-a-remedy', 'twice', 'twice-1', 'own']);
});

test('links in code are not links', () => {
  assert.deepEqual(linksOf('See [a](docs/a.md#x) and `[b](c)`.\n```\n[d](e)\n```\n'), [
    { line: 1, target: 'docs/a.md#x' },
  ]);
});
