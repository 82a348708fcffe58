import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '../../test/support/processes.ts';
import type { CommandDefinition, ProgramCommand } from '../../config/commands.ts';
import type { Args } from '../../workflows/contract.ts';
import type { ProcessEnd } from '../process-group.ts';
import { BARE_HOST } from '../../test/support/action-host.ts';
import { runProcess } from '../process-group.ts';
import { RefusalError } from '../refusal.ts';
import type { ActionHost, ActionRun } from './action.ts';
import { exec } from './exec.ts';

const place = { file: 'actions.hcl', line: 3, column: 1 };
const echo: ProgramCommand = {
  place,
  kind: 'program',
  name: 'echo',
  argv: ['/bin/echo', '{word}'],
  inputs: [{ name: 'word', pattern: '[\\s\\S]*' }],
  timeoutMs: 60_000,
  environment: {},
  workingDirectory: '/',
  secrets: {},
};
const hostOf = (...commands: CommandDefinition[]): ActionHost => ({
  ...BARE_HOST,
  commands: new Map(commands.map((command) => [command.name, command])),
});
const run = (timeoutMs = 30_000, signal = new AbortController().signal): ActionRun => ({
  timeoutMs,
  signal,
  secrets: [],
  run: (line): Promise<ProcessEnd> =>
    runProcess({
      timeoutMs,
      secrets: [],
      ...line,
      signal,
      attemptKey: `exec-test-${process.pid}`,
      onSpawn: () => undefined,
    }),
});
const call = (args: Args, ...commands: CommandDefinition[]) => exec.prepare(args, hostOf(...commands)).run(run());
const printed = async (args: Args, ...commands: CommandDefinition[]): Promise<string> => {
  const end = await call(args, ...commands);
  assert.equal(end.status, 'done', JSON.stringify(end));
  return end.output.tail ?? '';
};
const refused = (args: Args, ...commands: CommandDefinition[]): string => {
  try {
    exec.prepare(args, hostOf(...commands));
  } catch (error) {
    assert.ok(error instanceof RefusalError && error.code === 'args_invalid', String(error));
    return error.message;
  }
  throw new Error('was not refused');
};

describe('exec', () => {
  const hostile = [
    'a b  c',
    '$(touch /tmp/fettle-owned)',
    '`id`',
    '; rm -rf /',
    '&& id',
    '| id',
    '> /tmp/fettle-owned',
    '*',
    '~root',
    '{word}',
    '${secret.x}',
    '$HOME',
    '\\',
    '"quoted" \'text\'',
    'line\nbreak',
    'ümläut 🦀',
    '%s%n',
    '$&$1',
  ];
  for (const word of hostile) {
    it(`hands ${JSON.stringify(word)} to the program as one argument, as it is`, async () => {
      assert.equal(await printed({ command: 'echo', word }, echo), `${word}\n`);
    });
  }

  it('fills a slot within an argument, and one slot twice, without splitting', async () => {
    const command = { ...echo, argv: ['/usr/bin/printf', '%s|', 'a={word}', '{word}{word}'] };
    assert.equal(await printed({ command: 'echo', word: 'x y' }, command), 'a=x y|x yx y|');
  });

  it('refuses what would be read as an option, wherever a value begins an argument', () => {
    for (const argv of [['{word}'], ['{word}.conf'], ['{word}{word}']]) {
      const message = refused(
        { command: 'echo', word: '--output=/etc/passwd' },
        { ...echo, argv: ['/bin/echo', ...argv] },
      );
      assert.match(message, /begins with "-"/);
      assert.doesNotMatch(message, /passwd/);
    }
    const sly = {
      ...echo,
      argv: ['/bin/echo', '{empty}{word}'],
      inputs: [...echo.inputs, { name: 'empty', pattern: '' }],
    };
    assert.match(refused({ command: 'echo', word: '-n', empty: '' }, sly), /begins with "-"/);
  });

  it('lets a dash through behind "--", after fixed text, and where the pattern asks for it', async () => {
    const args = { command: 'echo', word: '-x' };
    assert.equal(await printed(args, { ...echo, argv: ['/bin/echo', '--', '{word}'] }), '-- -x\n');
    assert.equal(await printed(args, { ...echo, argv: ['/bin/echo', 'a{word}'] }), 'a-x\n');
    for (const pattern of ['-x|-y', '^-[a-z]$', '(?:-x)']) {
      assert.equal(await printed(args, { ...echo, inputs: [{ name: 'word', pattern }] }), '-x\n');
    }
  });

  it('takes exactly the declared inputs', () => {
    assert.match(refused({ command: 'echo' }, echo), /input word of command echo is missing/);
    assert.match(
      refused({ command: 'echo', word: 'a', more: 'b' }, echo),
      /does not declare the input "more"; it takes word/,
    );
    assert.match(refused({ command: 'echo', word: 'a', __proto__x: 'b' }, echo), /does not declare/);
    assert.match(
      refused(JSON.parse('{"command":"echo","word":"a","__proto__":"b"}') as Args, echo),
      /does not take "__proto__"/,
    );
    assert.match(refused({ command: 'echo', word: ['a', 'b'] }, echo), /"word" must be one string, number or bool/);
  });

  it('matches each input as a whole, with no way around by a line break', () => {
    const command = { ...echo, inputs: [{ name: 'word', pattern: '^[a-z]+$' }] };
    for (const word of ['', 'a b', 'a\n', '\na', 'a\nb', 'ab;', 'A', 'a\u0000']) {
      const message = refused({ command: 'echo', word }, command);
      assert.match(message, /input word of command echo/);
    }
    const open = { ...echo, inputs: [{ name: 'word', pattern: 'a|b' }] };
    assert.match(refused({ command: 'echo', word: 'ax' }, open), /does not match its pattern/);
  });

  it('runs no command that the host does not define', () => {
    assert.match(refused({ command: 'other', word: 'a' }, echo), /defines no command "other"/);
    for (const command of ['/bin/sh', '../echo', '', 'constructor', '__proto__', 'a b']) refused({ command }, echo);
    assert.match(refused({ word: 'a' }, echo), /"command" must be a string/);
  });

  it('runs nothing that does not begin with an absolute path free of slots', () => {
    for (const program of ['echo', './echo', '{word}', '/bin/{word}']) {
      assert.match(refused({ command: 'echo', word: 'a' }, { ...echo, argv: [program, '{word}'] }), /absolute path/);
    }
  });

  it('gives the program a clean environment, its own directory and no input', async () => {
    process.env['FETTLE_TEST_LEAK'] = 'leaked';
    const env = { ...echo, argv: ['/usr/bin/env'], inputs: [], environment: { COLOUR: 'green' } };
    const variables = (await printed({ command: 'echo' }, env))
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0]);
    assert.deepEqual(
      variables.toSorted((a = '', b = '') => a.localeCompare(b)),
      ['COLOUR', 'FETTLE_ATTEMPT_KEY', 'LANG', 'PATH'],
    );
    assert.equal(
      await printed({ command: 'echo' }, { ...env, argv: ['/bin/pwd'], workingDirectory: '/usr' }),
      '/usr\n',
    );
    assert.equal(await printed({ command: 'echo' }, { ...env, argv: ['/bin/cat'] }), '');
  });

  it('says how a program failed', async () => {
    const fails = await call(
      { command: 'echo' },
      { ...echo, argv: ['/bin/sh', '-c', 'echo broken >&2; exit 7'], inputs: [] },
    );
    assert.deepEqual(fails.status === 'failed' && [fails.code, fails.output.exitCode, fails.output.tail], [
      'exit',
      7,
      'broken\n',
    ]);
    const missing = await call({ command: 'echo' }, { ...echo, argv: ['/no/such/program'], inputs: [] });
    assert.deepEqual(missing.status === 'failed' && [missing.code, missing.message], [
      'spawn',
      '/no/such/program could not be started: ENOENT',
    ]);
    const slow = await call({ command: 'echo' }, { ...echo, argv: ['/bin/sleep', '60'], inputs: [], timeoutMs: 50 });
    assert.equal(slow.status === 'failed' && slow.code, 'timeout');
  });

  describe('with secrets of the host', () => {
    it('puts them into the environment, and strikes them out of all that is reported', async () => {
      await using secrets = await temporaryDirectory('fettle-exec-secrets-');
      await writeFile(join(secrets.path, 'api-token'), 'hush-hush-7\n');
      const command = {
        ...echo,
        argv: ['/bin/sh', '-c', 'echo "t=$TOKEN $TOKEN"; test ${#TOKEN} = 11'],
        inputs: [],
        secrets: { TOKEN: 'api-token' },
      };
      const host = { ...hostOf(command), secretsDir: secrets.path };
      const prepared = exec.prepare({ command: 'echo' }, host);
      await prepared.admit?.();
      const end = await prepared.run(run());
      assert.deepEqual([end.status, end.output.tail], ['done', 't=[secret] [secret]\n']);
      assert.doesNotMatch(JSON.stringify(await prepared.rehearse(run())), /hush/);
    });

    it('is refused before it begins when one is not there', async () => {
      const command = { ...echo, argv: ['/bin/true'], inputs: [], secrets: { TOKEN: 'none' } };
      const prepared = exec.prepare({ command: 'echo' }, hostOf(command));
      await assert.rejects(
        async () => prepared.admit?.(),
        /secret "none" is asked for, but this host has no secrets_dir/,
      );
      const end = await prepared.run(run());
      assert.deepEqual(end.status === 'failed' && end.code, 'spawn');
    });
  });

  describe('as a user', { skip: process.getuid?.() === 0 ? false : 'needs root' }, () => {
    const tools = { setpriv: '/usr/bin/setpriv', getent: '/usr/bin/getent' };
    const as = (user: string, argv: readonly string[]) =>
      exec.prepare({ command: 'echo' }, { ...hostOf({ ...echo, argv, inputs: [], user }), ...tools });

    it('runs with the ids, groups and home of that user, and no capability left', async () => {
      const script = 'id -un; id -gn; echo $HOME $USER; grep CapEff /proc/self/status';
      const end = await as('nobody', ['/bin/sh', '-c', script]).run(run());
      assert.equal(end.output.tail, 'nobody\nnogroup\n/nonexistent nobody\nCapEff:\t0000000000000000\n');
      assert.equal(end.output.facts['user'], 'nobody');
    });

    it('says so when the host has no such user, or no such program', async () => {
      const stranger = as('no-such-user', ['/bin/true']);
      await assert.rejects(async () => stranger.admit?.(), /this host has no user no-such-user/);
      const end = await as('nobody', ['/no/such/program']).run(run());
      assert.deepEqual(end.status === 'failed' && end.code, 'exit');
      assert.match(end.output.tail ?? '', /failed to execute \/no\/such\/program/);
    });
  });
});
