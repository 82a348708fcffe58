import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { array, assert as always, constantFrom, property, uint8Array } from 'fast-check';
import { createOutputTail, endWithin } from './output-tail.ts';

const summary = (chunks: readonly Buffer[], secrets: string[] = []) => {
  const output = createOutputTail(secrets);
  const write = output.stream();
  for (const chunk of chunks) write(chunk);
  return output.finish();
};
const digest = (text: string | Buffer): string => createHash('sha256').update(text).digest('base64url');

describe('the output of a program', () => {
  it('is kept to its last 4 KiB, with the digest and length of all of it', () => {
    const text = Buffer.from(Array.from({ length: 5000 }, (_, line) => `line ${line}\n`).join(''));
    const {
      tail,
      digest: all,
      bytes,
    } = summary([text.subarray(0, 7), text.subarray(7, 20_000), text.subarray(20_000)]);
    assert.equal(bytes, text.length);
    assert.equal(all, digest(text));
    assert.equal(tail, text.subarray(-4096).toString());
  });

  it('is kept with its beginning too when the end is not all of it', () => {
    const text = Array.from({ length: 5000 }, (_, line) => `line ${line}\n`).join('');
    assert.equal(summary([Buffer.from(text)]).head, text.slice(0, 2048));
    assert.equal('head' in summary([Buffer.alloc(4096, 'x')]), false);
    const crabs = summary([Buffer.from(`x${'🦀'.repeat(2000)}`)]);
    assert.equal(crabs.head, `x${'🦀'.repeat(511)}`);
    const secret = summary([Buffer.from(`pass sword`), Buffer.from(`fish${'x'.repeat(9000)}`)], ['swordfish']);
    assert.match(secret.head ?? '', /^pass \[secret\]x+$/);
  });

  it('never holds half a character, nor more than 4 KiB of UTF-8, nor what moves a cursor', () => {
    always(
      property(array(uint8Array({ maxLength: 3000 }), { maxLength: 6 }), (chunks) => {
        const { tail } = summary(chunks.map((chunk) => Buffer.from(chunk)));
        assert.ok(Buffer.byteLength(tail) <= 4096);
        assert.ok(tail.isWellFormed());
        // eslint-disable-next-line no-control-regex
        assert.doesNotMatch(tail, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
      }),
      { numRuns: 200, seed: 7 },
    );
    const crabs = summary([Buffer.from('🦀'.repeat(2000)).subarray(1)]);
    assert.equal(crabs.tail, '🦀'.repeat(1024));
  });

  it('holds no secret, however it is cut into chunks', () => {
    always(
      property(
        array(constantFrom('sword', 'fish', 's', 'swordfish', 'x', 'swordfis', '-'), { maxLength: 30 }),
        (parts) => {
          const secrets = ['swordfish', 'sword-'];
          const { tail, digest: all } = summary(
            parts.map((part) => Buffer.from(part)),
            secrets,
          );
          const whole = summary([Buffer.from(parts.join(''))], secrets);
          assert.equal(tail, whole.tail);
          assert.equal(all, whole.digest);
          for (const secret of secrets) assert.ok(!tail.includes(secret));
        },
      ),
      { numRuns: 500, seed: 7 },
    );
  });

  it('proves what was left of it, not the secret', () => {
    const { tail, digest: all, bytes } = summary([Buffer.from('token=sword'), Buffer.from('fish!')], ['swordfish']);
    assert.deepEqual([tail, all, bytes], ['token=[secret]!', digest('token=[secret]!'), 15]);
  });

  it('keeps two streams apart when it looks for secrets', () => {
    const output = createOutputTail(['swordfish']);
    const [out, err] = [output.stream(), output.stream()];
    out(Buffer.from('sword'));
    err(Buffer.from('warning\n'));
    out(Buffer.from('fish\n'));
    assert.equal(output.finish().tail.includes('swordfish'), false);
  });

  it('ends within a limit without splitting', () => {
    assert.equal(endWithin('aäö', 4), 'äö');
    assert.equal(endWithin('aäö', 3), 'ö');
    assert.equal(endWithin('abc', 3), 'abc');
  });
});
