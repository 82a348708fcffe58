import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { actionRun, BARE_HOST, documented } from '../../test/support/action-host.ts';
import { script } from '../../test/support/agent-bench.ts';
import { temporaryDirectory } from '../../test/support/processes.ts';
import type { Args } from '../../workflows/contract.ts';
import type { ActionHost } from './action.ts';
import { plainLine, withoutGuessedSecrets } from './log-text.ts';
import { logsTail } from './logs-tail.ts';

let home: Awaited<ReturnType<typeof temporaryDirectory>>;
let host: ActionHost;

/** Stands in for journalctl, the newest line first as it does with --reverse; the real one: test/actions-host.test.ts. */
const journal = async (lines: readonly Record<string, unknown>[], after = ''): Promise<void> => {
  const text = lines.map((line, index) =>
    JSON.stringify({ __REALTIME_TIMESTAMP: String(1_700_000_000_000_000 - index * 1e6), ...line }),
  );
  await writeFile(join(home.path, 'lines'), `${text.join('\n')}\n`);
  const path = await script(
    home.path,
    `journalctl-${Math.random()}`,
    `#!/bin/sh\nprintf '%s\\n' "$@" > ${home.path}/args\ncat ${home.path}/lines\n${after}\n`,
  );
  host = { ...BARE_HOST, journalctl: path };
};
const line = (MESSAGE: unknown, more: Record<string, unknown> = {}) => ({
  MESSAGE,
  PRIORITY: '6',
  SYSLOG_IDENTIFIER: 'web',
  _PID: '7',
  ...more,
});
const tail = async (args: Args = {}, timeoutMs = 30_000) =>
  documented('logs.tail', await logsTail.prepare(args, host).run(actionRun(timeoutMs)));

beforeEach(async () => {
  home = await temporaryDirectory('fettle-logs-');
});
afterEach(() => home[Symbol.asyncDispose]());

describe('logs.tail', () => {
  it('gives the newest lines, oldest first, with time, priority and who wrote them', async () => {
    await journal([line('second', { PRIORITY: '3' }), line('first')]);
    const end = await tail({ unit: 'web.service', priority: 'info', since_s: 60, lines: 2 });
    assert.ok(end.status === 'done');
    assert.equal(
      end.output.tail,
      '2023-11-14T22:13:19.000Z info web[7]: first\n2023-11-14T22:13:20.000Z err web[7]: second\n',
    );
    const { facts } = end.output;
    assert.deepEqual([facts['matched'], facts['errors'], facts['complete']], [2, 1, false]);
    const args = (await readFile(join(home.path, 'args'), 'utf8')).trim().split('\n');
    assert.ok(args.includes('--unit=web.service') && args.includes('--priority=info') && args.includes('--lines=2'));
    assert.ok(args.some((argument) => /^--since=@\d+$/.test(argument)));
  });

  it('takes what it looks for letter by letter, and looks at what it may show only', async () => {
    await journal([line('a.*b'), line('axxb'), line('password=hunter2')]);
    const of = async (contains: string) => (await tail({ contains })).output.facts['matched'];
    assert.deepEqual([await of('a.*b'), await of('web[7]'), await of('hunter2'), await of('[secret]')], [1, 3, 0, 1]);
  });

  it('shows no bytes that are no text, and nothing that moves a cursor', async () => {
    const bytes = (text: string) => [...Buffer.from(text)];
    await journal([
      line(bytes('\u001b[31mred\u001b[0m alert')),
      line([0, 1, 2, 255, 254, 3, 4]),
      line(null),
      line(['one', 'two']),
      line('two\nlines\tand a tab'),
      line(undefined, { SYSLOG_IDENTIFIER: 'a\u001b]0;title\u0007b' }),
    ]);
    const { tail: shown } = (await tail()).output;
    assert.deepEqual(
      (shown ?? '')
        .trimEnd()
        .split('\n')
        .map((each) => each.slice(each.indexOf(' info ') + 6))
        .toReversed(),
      [
        'web[7]: red alert',
        'web[7]: [7 bytes that are no text]',
        'web[7]: [more than 4 KiB, not shown]',
        'web[7]: one | two',
        'web[7]: two | lines and a tab',
        'ab[7]: ',
      ],
    );
  });

  it('keeps to the size of a receipt by leaving out older lines, and proves all of them', async () => {
    await journal(Array.from({ length: 300 }, (_, index) => line(`${index} ${'x'.repeat(index === 0 ? 3000 : 40)}`)));
    const { tail: shown, bytes, facts } = (await tail({ lines: 300 })).output;
    assert.ok(Buffer.byteLength(shown ?? '') <= 4096 && bytes > 20_000);
    assert.match(shown ?? '', /^2023-/);
    assert.match(shown ?? '', /\.\.\.\n$/);
    assert.equal((shown ?? '').split('\n').length - 1, facts['shown']);
  });

  it('ends when it has enough, when its time is over, and when it would read for ever', async () => {
    await journal([line('one'), line('two')], 'exec sleep 60');
    const enough = await tail({ contains: 'o', lines: 1 });
    assert.deepEqual([enough.status, enough.output.facts['matched']], ['done', 1]);
    const late = await tail({ contains: 'nowhere' }, 200);
    assert.deepEqual([late.status, late.output.facts['complete']], ['done', false]);
    await journal([], `exec yes '{"MESSAGE":"${'y'.repeat(1000)}"}'`);
    const flood = await tail({ contains: 'nowhere' });
    assert.deepEqual([flood.status, flood.output.facts['complete']], ['done', false]);
  });

  it('has failed when the journal may not be read, or journalctl is not there', async () => {
    await journal([], 'echo "No journal files were opened due to insufficient permissions." >&2');
    const closed = await tail();
    assert.match(closed.status === 'failed' ? closed.message : '', /systemd-journal/);
    await journal([], 'echo "Failed to parse timestamp" >&2; exit 1');
    const wrong = await tail();
    assert.match(wrong.status === 'failed' ? wrong.message : '', /ended with 1: Failed to parse timestamp/);
    host = { ...host, journalctl: '/no/such/journalctl' };
    const missing = await tail();
    assert.match(missing.status === 'failed' ? missing.message : '', /could not be started \(ENOENT\)/);
  });
});

it('hides what has the name or the form of a secret', () => {
  const lines: readonly (readonly [line: string, shown: string])[] = [
    ['login password=hunter2 ok', 'login password=[secret] ok'],
    ['DB_PASSWORD: "two words" next', 'DB_PASSWORD: [secret] next'],
    ['{"api_key":"abc","user":"x"}', '{"api_key":[secret],"user":"x"}'],
    ['Authorization: Bearer abcdefghijk', 'Authorization: Bearer [secret]'],
    ['GET postgres://app:pa55@db/x', 'GET postgres://app:[secret]@db/x'],
    ['key AKIAABCDEFGHIJKLMNOP used', 'key [secret] used'],
    ['jwt eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2ln end', 'jwt [secret] end'],
    ['-----BEGIN PRIVATE KEY----- | MIIB | -----END PRIVATE KEY----- after', '[secret] after'],
    ['authentication failure for user root', 'authentication failure for user root'],
    ['connection to token server timed out', 'connection to token server timed out'],
  ];
  for (const [given, shown] of lines) assert.equal(withoutGuessedSecrets(given), shown);
});

it('makes one harmless line of anything', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.uint8Array({ maxLength: 300 })), (message) => {
      // eslint-disable-next-line no-control-regex
      assert.doesNotMatch(plainLine(message), /[\u0000-\u001f\u007f-\u009f]/);
    }),
  );
});
