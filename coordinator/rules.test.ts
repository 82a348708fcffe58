import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { configOf, loadCoordinator } from '../config/load.ts';
import { closedIntervals } from '../config/window-times.ts';
import { knownToWorkflows, watchRules } from './rules.ts';

const COORDINATOR = `
workflows_dir = "workflows.d"
inventory     = "inventory.hcl"
grant_key     = "grant.key"
temporal { address = "127.0.0.1:7233" }
server_config { enable_tls = false }
limit "changes" {
  kind  = "concurrency"
  value = 5
}
window "freeze" {
  changes  = "forbidden"
  calendar = "freeze.ics"
}
`;
const WORKFLOW = `
step "restart" {
  action = "systemd.restart"
  args   = { unit = "web.service" }
}
constraint {
  kind  = "maxUnavailable"
  value = "5%"
}
`;
const freezeOn = (day: string): string =>
  `BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:${day}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n`;
const nodes = (count: number): string =>
  Array.from({ length: count }, (_, n) => `node "web-${n}" {\n  type = "web"\n  datacenter = "dc1"\n}\n`).join('');

async function rulesIn(context: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'fettle-rules-'));
  const write = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);
  await mkdir(join(folder, 'workflows.d'));
  await write('coordinator.hcl', COORDINATOR);
  await write('workflows.d/restart-web.hcl', WORKFLOW);
  await write('inventory.hcl', nodes(20));
  await write('freeze.ics', freezeOn('20261224'));
  const paths = [join(folder, 'coordinator.hcl')];
  const config = configOf(await loadCoordinator(paths, knownToWorkflows(null)));
  const seen = { changes: 0, problems: new Map<string, number>() };
  const rules = await watchRules({
    config,
    paths,
    log: pino({ level: 'silent' }),
    onProblems: (file, errors) => seen.problems.set(file, errors),
    onRules: () => (seen.changes += 1),
    onInventory: () => {},
  });
  context.after(async () => {
    await rules[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  const closedDays = (): string[] =>
    rules
      .windows()
      .flatMap((window) => closedIntervals(window, { from: Date.UTC(2026, 11, 1), until: Date.UTC(2027, 0, 1) }))
      .map(({ from }) => new Date(from).toISOString().slice(0, 10));
  const ruling = () => {
    const definition = rules.definition('restart-web');
    assert.ok(definition !== null);
    return rules.ruling(definition);
  };
  return { rules, write, seen, closedDays, ruling };
}

test('a calendar that changes is read again, and what changed is announced', async (context) => {
  const { rules, write, seen, closedDays } = await rulesIn(context);
  assert.deepEqual(closedDays(), ['2026-12-24']);
  await write('freeze.ics', freezeOn('20261231'));
  await rules.reload();
  assert.deepEqual(closedDays(), ['2026-12-31']);
  assert.ok(seen.changes > 0);
});

test('a calendar that is bad leaves the old one in force, and status says so', async (context) => {
  const { rules, write, seen, closedDays } = await rulesIn(context);
  await write('freeze.ics', freezeOn('20261332'));
  await rules.reload();
  assert.deepEqual(closedDays(), ['2026-12-24']);
  assert.equal(seen.problems.get('configuration'), 1);
  const calendar = rules.status().files.find(({ file }) => file.endsWith('freeze.ics'));
  assert.match(calendar?.problems.join('\n') ?? '', /freeze\.ics:4:1: DTSTART is no date or time/);
});

test('a fleet-wide limit that changes changes the rulings of what it covers', async (context) => {
  const { rules, write, seen, ruling } = await rulesIn(context);
  const before = ruling();
  const limits = (of: typeof before) => of.announcement('c1', 'd:1', 1).lim.map(({ k, v, g }) => [k, v, g]);
  assert.deepEqual(limits(before), [
    ['u', 5, undefined],
    ['c', 5, 'changes'],
  ]);
  await write('coordinator.hcl', COORDINATOR.replace('value = 5', 'value = 4'));
  await rules.reload();
  assert.deepEqual(limits(ruling()), [
    ['u', 5, undefined],
    ['c', 4, 'changes'],
  ]);
  assert.notEqual(ruling().digest, before.digest);
  assert.ok(seen.changes > 0);
});

test('warns when an inventory that shrinks leaves a health floor that nothing can pass', async (context) => {
  const { rules, write } = await rulesIn(context);
  assert.deepEqual(rules.warnings(), []);
  await write('inventory.hcl', nodes(19));
  await rules.reload();
  assert.match(
    rules.warnings().join('\n'),
    /restart-web\.hcl:6:1: warning: constraint\[0\]\.value: 5% is less than one node/,
  );
});

test('a running coordinator gets no health floors by an inventory that it was not started with', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'fettle-rules-'));
  context.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'coordinator.hcl');
  const floor = 'limit "health" {\n  kind  = "maxUnavailable"\n  value = 1\n}\n';
  await writeFile(file, COORDINATOR.replace(/window[^}]*}/s, floor));
  const { problems } = await loadCoordinator([file], { hasInventory: false });
  assert.match(problems.map(({ message }) => message).join('\n'), /there is no inventory/);
});
