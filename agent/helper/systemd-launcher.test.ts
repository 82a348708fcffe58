import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptKey } from '../ledger.ts';
import type { Begun } from '../ledger-records.ts';
import { unitArguments, unitName } from './systemd-launcher.ts';

const begun = (execution: string): Begun => ({
  kind: 'begun',
  attempt: { execution, step: 'step', attempt: 2 },
  nonce: 'nonce',
  grantDigest: 'digest',
  argsDigest: 'digest',
  action: 'disk.clean',
  args: {},
  bootId: 'b13f1377-d57b-4f71-af07-0b793c5d1c34',
  owner: { pid: 1, startTime: 1 },
  at: 1000,
  deadline: 61_000,
  beginBy: 2000,
});

test('a unit ends by itself some seconds after the time of its action', () => {
  const given = unitArguments(begun('x'), {}, '/var/lib/fettle/helper');
  assert.ok(given.includes('--property=RuntimeMaxSec=68s'));
  assert.ok(given.includes('--property=TimeoutStopSec=8s'));
});

test('what a definition leaves out has the bounds of the helper, and the ledger stays writable under any', () => {
  const bare = unitArguments(begun('x'), {}, '/var/lib/fettle/helper');
  const own = unitArguments(
    begun('x'),
    { memoryMax: 4096, tasksMax: 9, protectSystem: 'strict', writable: ['/srv/a "b"'] },
    '/var/lib/fettle/helper',
  );
  for (const property of ['MemoryMax=1073741824', 'TasksMax=512', 'ProtectSystem=full'])
    assert.ok(bare.includes(`--property=${property}`), property);
  for (const property of ['MemoryMax=4096', 'TasksMax=9', 'ProtectSystem=strict'])
    assert.ok(own.includes(`--property=${property}`), property);
  assert.ok(own.includes('--property=ReadWritePaths="/srv/a \\"b\\""'));
  assert.ok(own.includes('--property=ReadWritePaths="/var/lib/fettle/helper"'));
});

test('an id of hostile text names a unit by its digest, and is shown without what could be more than text', () => {
  const hostile = begun('../%H $(reboot)\n--property=ExecStart=/bin/sh');
  assert.equal(unitName(hostile.attempt), `fettle-action-${attemptKey(hostile.attempt)}.service`);
  assert.match(unitName(hostile.attempt), /^fettle-action-[A-Za-z0-9_-]{43}\.2\.service$/);
  const shown = unitArguments(hostile, {}, '/x').find((argument) => argument.startsWith('--description='));
  assert.match(shown ?? '', /^--description=[A-Za-z0-9_.:/?,= -]*$/);
});
