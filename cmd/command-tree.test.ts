import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KINDS } from '../config/kinds.ts';
import { runCommandLine } from './command-line.ts';
import { buildProgram } from './command-tree.ts';
import type { FettleCommand, Task } from './fettle-command.ts';
import { FILE_KINDS } from './operator-commands.ts';
import { testIo } from './testing.ts';

const silent = { out: () => {}, err: () => {}, columns: 100 };
const all = (command: FettleCommand): FettleCommand[] => [command, ...command.children.flatMap(all)];
const commands = all(buildProgram(() => {}, silent));
const runnable = commands.filter((command) => command.children.length === 0);

/** Words of an example as a shell would part them; examples use no more than double quotes. */
const words = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');

for (const command of commands) {
  test(`${command.fullName} --help says what it does, on standard output`, async () => {
    const io = testIo();
    const code = await runCommandLine([...command.fullName.split(' ').slice(1), '--help'], io);
    assert.equal(code, 0);
    assert.equal(io.err(), '');
    assert.match(io.out(), new RegExp(`^Usage: ${command.fullName}`));
    for (const { line } of command.examples) assert.ok(io.out().includes(`$ ${line}`), line);
  });
}

for (const command of runnable) {
  test(`each example of ${command.fullName} is a command line that parses`, () => {
    assert.ok(command.examples.length > 0, 'it has no example');
    for (const { line } of command.examples) {
      const [name, ...rest] = words(line);
      assert.equal(name, 'fettle');
      const tasks: Task[] = [];
      buildProgram((task) => tasks.push(task), silent).parse(rest, { from: 'user' });
      assert.equal(tasks.length, 1, line);
    }
  });
}

test('help fits a narrow terminal', async () => {
  const io = testIo({ columns: 60 });
  await runCommandLine(['run', '--help'], io);
  const [usage] = io.out().split('Examples:');
  for (const line of (usage ?? '').split('\n')) assert.ok(line.length <= 110, line);
});

const WRONG: [string[], RegExp][] = [
  [['psx'], /unknown command 'psx'; did you mean ps\?; try: fettle --help$/],
  [['ps', '--nod', 'x'], /unknown option '--nod'; did you mean --node\?; try: fettle ps --help$/],
  [['run'], /missing required argument 'workflow'; try: fettle run --help$/],
  [['ps', '-o', 'yaml'], /Allowed choices are table, wide, json, jsonl; try: fettle ps --help$/],
  [['show', 'a', 'b'], /too many arguments/],
  [['run', 'x', '--node', 'a', '--wait', '5x'], /Write a duration such as 90s, 5m or 1h30m; try: fettle run --help$/],
  [['run', 'x', '--node-type', 'a', '--max', '0'], /Write a whole number/],
  [['agent'], /required option '--config <path\.\.\.>' not specified; try: fettle agent --help$/],
  [['ca', 'isue'], /did you mean issue\?; try: fettle ca --help$/],
  [
    ['ca', 'issue', 'nobody', '--dir', 'x', '--out', 'y'],
    /nobody to issue a certificate for; write coordinator, .*; try: fettle ca issue --help$/,
  ],
  [['cancel'], /say what to cancel: an id, or --all and the name of a workflow; try: fettle cancel --help$/],
  [['cancel', '1-7', '--all', 'x'], /exclude one another/],
  [['cancel', '--all', 'x'], /--all needs --reason/],
  [['status'], /no coordinator is named; use --coordinator .*; try: fettle status --help$/],
  [['status', '--coordinator', 'https://127.0.0.1:1'], /--coordinator-id/],
  [['status', '--coordinator', 'https://127.0.0.1:1', '--coordinator-id', 'spiffe://a/b'], /--bundle/],
  [['status', '--coordinator', 'http://127.0.0.1:1', '--cert', 'x'], /--key FILE is missing/],
  [['status', '--coordinator', 'http://10.0.0.1:1'], /plain http is only for loopback/],
  [['ps', '--since', 'yesterday', '--coordinator', 'http://127.0.0.1:1'], /--since "yesterday" is neither/],
  [['\u001b[31mred'], /unknown command '\\x1b\[31mred'/],
];
for (const [line, says] of WRONG) {
  test(`"fettle ${line.join(' ').replace('\u001b', 'ESC')}" is a usage error of one line that ends with what to type`, async () => {
    const io = testIo();
    assert.equal(await runCommandLine(line, io), 2);
    assert.equal(io.out(), '');
    assert.match(io.err().trimEnd(), says);
    assert.equal(io.err().trimEnd().split('\n').length, 1);
  });
}

test('fettle alone shows help on standard error and is a usage error', async () => {
  const io = testIo();
  assert.equal(await runCommandLine([], io), 2);
  assert.equal(io.out(), '');
  assert.match(io.err(), /^Usage: fettle/);
});

test('the kinds that validate offers are those that config knows', () => {
  assert.deepEqual([...FILE_KINDS], [...KINDS]);
});
