import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { clip } from './clip.ts';

it('keeps the longest beginning that fits its bytes of JSON, and never half a character', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat({ max: 40 }), (text, bytes) => {
      const kept = clip(text, bytes);
      const size = (part: string): number => Buffer.byteLength(JSON.stringify(part)) - 2;
      assert.ok(text.startsWith(kept));
      assert.ok(size(kept) <= bytes);
      const [next = ''] = text.slice(kept.length);
      assert.ok(next === '' || size(kept + String.fromCodePoint(text.codePointAt(kept.length) ?? 0)) > bytes);
    }),
  );
});
