import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { temporaryDirectory } from '../test/support/processes.ts';
import { checkBrake, followBrake, parseBrake } from './brake.ts';
import { RefusalError } from './refusal.ts';

async function folder(context: TestContext): Promise<string> {
  const made = await temporaryDirectory('fettle-brake-');
  context.after(() => made[Symbol.asyncDispose]());
  return made.path;
}
const braked = (pattern: RegExp) => (error: unknown) =>
  error instanceof RefusalError && error.code === 'brake' && pattern.test(error.message);

describe('the brake of a host', () => {
  it('holds by being there, whatever it is or holds', async (context) => {
    const dir = await folder(context);
    await checkBrake(join(dir, 'none'));
    await writeFile(join(dir, 'empty'), '');
    await mkdir(join(dir, 'folder'));
    await symlink('/nowhere', join(dir, 'link'));
    await writeFile(join(dir, 'junk'), Buffer.alloc(100_000, 0xff));
    for (const name of ['empty', 'folder', 'link', 'junk'])
      await assert.rejects(checkBrake(join(dir, name)), braked(/this host is braked/));
    await assert.rejects(checkBrake(join(dir, 'empty', 'below')), braked(/cannot tell whether .* exists \(ENOTDIR\)/));
  });

  it('says why, by whom and since when, on one line and bounded', async (context) => {
    const file = join(await folder(context), 'stop');
    await writeFile(file, 'reason: disk is being\u0007 replaced\nby: ann (uid 1000)\nat: 2026-11-21T19:00:00Z\n');
    await assert.rejects(
      checkBrake(file),
      braked(/: "disk is being replaced", by ann \(uid 1000\), since 2026-11-21T19:00:00Z; remove it/),
    );
    await writeFile(file, `reason: ${'x'.repeat(3000)}`);
    await assert.rejects(checkBrake(file), (error: Error) => error.message.length < 600);
  });

  it('takes words written in a hurry for the reason, and ends what runs only when told to', () => {
    assert.deepEqual(parseBrake('do not touch, ann\n'), {
      reason: 'do not touch, ann',
      by: null,
      at: null,
      cancel: false,
    });
    assert.equal(parseBrake('').cancel, false);
    assert.equal(parseBrake('cancel: no').cancel, false);
    assert.equal(parseBrake('reason: we must cancel\n').cancel, false);
    for (const text of ['cancel', 'cancel\nleak', 'cancel: yes', 'reason: leak\ncancel = true'])
      assert.equal(parseBrake(text).cancel, true, text);
    assert.equal(parseBrake('cancel\nleak').reason, 'leak');
  });

  it('calls back once when it comes to say cancel', async (context) => {
    const file = join(await folder(context), 'stop');
    const called = Promise.withResolvers<string>();
    context.after(followBrake(file, called.resolve));
    await writeFile(file, 'reason: leak\n');
    await writeFile(file, 'reason: leak\ncancel: yes\n');
    assert.match(await called.promise, /the brake of this host was pulled: "leak"/);
  });
});
