import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { BOOT_ID_VARIABLE, readBootId } from './boot-id.ts';

test("the boot id is systemd's where a unit names it, in the kernel's form, and else the kernel's", () => {
  const kernel = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const named = '0123456789abcdef0123456789abcdef';
  assert.equal(readBootId({ [BOOT_ID_VARIABLE]: named }), '01234567-89ab-cdef-0123-456789abcdef');
  assert.equal(readBootId({ [BOOT_ID_VARIABLE]: kernel.replaceAll('-', '') }), kernel);
  for (const nothing of [{}, { [BOOT_ID_VARIABLE]: '%b' }]) assert.equal(readBootId(nothing), kernel);
});
