import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { runCommandLine } from './command-line.ts';
import { testIo } from './testing.ts';

const FILES = {
  'coordinator.hcl': `
limit "changes" {
  kind  = "concurrency"
  value = 5
}
window "nights" {
  changes    = "forbidden"
  days       = ["sat"]
  hours      = "22:00-06:00"
  time_zone  = "Europe/Berlin"
  node_types = ["database"]
  datacenters = ["dc1", "dc2"]
}
`,
  'look.hcl': 'mode = "shadow"\nstep "look" {\n  action = "systemd.status"\n  args = { unit = "web.service" }\n}\n',
  'restart.hcl': `
mode = "ask"
override {
  mode  = "auto"
  nodes = ["web-1"]
}
constraint {
  kind  = "maxUnavailable"
  value = "5%"
}
constraint {
  kind   = "cooldown"
  period = "1h30m"
  scope  = "label:rack"
}
step "restart" {
  action = "systemd.restart"
  args   = { unit = "web.service" }
}
`,
};

async function validated(context: TestContext, ...words: string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'fettle-validate-'));
  context.after(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(FILES)) await writeFile(join(folder, name), text);
  const io = testIo();
  const code = await runCommandLine(['validate', folder, ...words], io);
  return { code, out: io.out(), err: io.err() };
}

test('shows what would hold for each workflow, its own and what the fleet adds, and when windows are closed next', async (context) => {
  const { code, out, err } = await validated(context, '--limits');
  assert.equal(code, 0, err);
  assert.equal(
    out,
    [
      'WORKFLOW  MODE                LIMIT              COUNTED BY  FROM',
      'restart   ask, for some auto  maxUnavailable 5%  node_type   its own',
      'restart   ask, for some auto  cooldown 1h30m     label:rack  its own',
      'restart   ask, for some auto  concurrency 5      global      limit "changes"',
      '',
      'WINDOW  CHANGES    ABOUT                 CLOSED NEXT (UTC)',
      'nights  forbidden  database and dc1 dc2  2026-11-21 21:00 to 2026-11-22 05:00, 2026-11-28 21:00 to 2026-11-29 05:00, 2026-12-05 21:00 to 2026-12-06 05:00, ...',
      '',
    ].join('\n'),
  );
  assert.match(err, /look \(shadow\) has no limit but one change on a node at a time/);
});

test('tells programs the same, and nothing of it unless asked', async (context) => {
  const asked = JSON.parse((await validated(context, '--limits', '-o', 'json')).out);
  assert.deepEqual(
    asked.workflows.map((one: { name: string; limits: unknown[] }) => [one.name, one.limits.length]),
    [
      ['look', 0],
      ['restart', 3],
    ],
  );
  assert.deepEqual(asked.windows[0].closed[0], { from: '2026-11-21T21:00:00.000Z', until: '2026-11-22T05:00:00.000Z' });
  const plain = JSON.parse((await validated(context, '-o', 'json')).out);
  assert.deepEqual(Object.keys(plain), ['api_version', 'valid', 'files', 'problems']);
});
