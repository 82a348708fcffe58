/** `fettle test`, as people type it. The workflow code is the real one; all else is faked. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runCommandLine } from './command-line.ts';
import type { TestEvent } from './fake-fleet.ts';
import { testIo } from './testing.ts';

const REMEDIES = path.join(import.meta.dirname, '..', 'workflows', 'remedies');
const DRAIN = `
input "pool" {
  pattern = "[a-z]+"
}
step "notes" {
  action   = "diagnostics.collect"
  may_fail = true
}
step "drain" {
  action = "exec"
  args   = { command = "drain", pool = "\${input.pool}" }
}
undo "back" {
  of     = "drain"
  action = "exec"
  args   = { command = "undrain", pool = "\${input.pool}" }
}
step "restart" {
  action = "systemd.restart"
  args   = { unit = "web.service" }
  retry  = { attempts = 3, wait = "20s" }
}
verify {
  action  = "systemd.status"
  args    = { unit = "web.service" }
  expect  = { active_state = "active" }
  for     = "30s"
  every   = "10s"
  timeout = "2m"
}
on_failure {
  notify = "oncall"
  step "log" {
    action = "logs.tail"
    args   = { unit = "web.service" }
  }
}
`;

describe('fettle test', () => {
  let folder: string;
  const file = (name: string): string => path.join(folder, name);
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'fettle-test-workflow-'));
    await writeFile(file('drain.hcl'), DRAIN);
    await writeFile(file('anywhere.hcl'), 'task_queue_target = "general"\nstep "look" {\n  action = "ping"\n}\n');
    await writeFile(
      file('restart-node.hcl'),
      'step "r" {\n  action = "systemd.restart"\n  args = { unit = "${target.node}" }\n}\n',
    );
  });
  after(() => rm(folder, { recursive: true }));

  const run = async (name: string, ...words: string[]) => {
    const io = testIo();
    const code = await runCommandLine(['test', name, ...words], io);
    return { code, out: io.out(), err: io.err() };
  };
  const events = async (name: string, ...words: string[]) => {
    const { code, out, err } = await run(name, '-o', 'json', ...words);
    assert.notEqual(out, '', err);
    const { test } = JSON.parse(out) as {
      test: { outcome: string; verified: boolean; took_ms: number; events: TestEvent[] };
    };
    const told = test.events.map(
      ({ what, step, attempt, status }) => `${what} ${step ?? ''}#${attempt ?? ''} ${status}`,
    );
    return { ...test, code, told };
  };
  const drain = (...words: string[]) => events(file('drain.hcl'), '--arg', 'pool=blue', ...words);

  it('runs every step, and looks as often as the proof needs, in no time', async () => {
    const { code, outcome, verified, told, took_ms: took } = await drain();
    assert.deepEqual(told, [
      'step notes#1 done',
      'step drain#1 done',
      'step restart#1 done',
      'look verify#1 done',
      'look verify#2 done',
      'look verify#3 done',
      'look verify#4 done',
      'release # released',
    ]);
    assert.deepEqual({ code, outcome, verified }, { code: 0, outcome: 'healed', verified: true });
    assert.ok(took > 30_000, `${took} ms of its own time`);
  });

  it('shows what is undone, what is done besides and who is called when it gives up', async () => {
    const { code, outcome, told } = await drain('--fake', 'restart=failed', '--fake', 'notes=refused');
    assert.deepEqual(told, [
      'step notes#1 refused (action_not_allowed)',
      'step drain#1 done',
      'step restart#1 failed (exit)',
      'step restart#2 failed (exit)',
      'step restart#3 failed (exit)',
      'undo back#1 done',
      'on_failure log#1 done',
      'release # released',
      'notify # sent',
    ]);
    assert.deepEqual({ code, outcome }, { code: 5, outcome: 'failed' });
  });

  it('takes one result for each attempt, and expects what it is told to', async () => {
    const failedOnce = await drain(
      '--fake',
      'restart=failed,done',
      '--fake',
      'verify=unhealthy',
      '--expect',
      'ineffective',
    );
    assert.equal(failedOnce.code, 0);
    assert.ok(failedOnce.told.includes('step restart#2 done') && !failedOnce.told.includes('step restart#3 done'));
    assert.ok(failedOnce.told.includes('undo back#1 done'));
    const late = await drain('--fake', 'verify=unhealthy,unhealthy,healthy');
    assert.equal(late.outcome, 'healed');
  });

  it('looks again where a look could not be taken, and no more where it never will be', async () => {
    const away = await drain('--fake', 'verify=no_permit:no_agent,unsettled,refused:busy,done');
    assert.equal(away.outcome, 'healed');
    const forbidden = await drain('--fake', 'verify=refused');
    assert.equal(forbidden.outcome, 'ineffective');
    assert.equal(forbidden.told.filter((event) => event.startsWith('look')).length, 1);
    const inVain = await drain('--fake', 'verify=no_permit:paused');
    assert.equal(inVain.outcome, 'ineffective');
    assert.ok(inVain.told.includes('undo back#1 done'), 'what cannot be proven is taken back');
  });

  it('cancels in the middle of a step', async () => {
    const { outcome, told } = await drain('--fake', 'restart=cancelled');
    assert.equal(outcome, 'cancelled');
    assert.ok(told.includes('undo back#1 done'));
  });

  it('undoes nothing while a step may still be at work', async () => {
    const { outcome, told } = await drain('--fake', 'restart=unsettled');
    assert.equal(outcome, 'failed');
    assert.ok(!told.some((event) => event.startsWith('undo')));
  });

  it('rehearses', async () => {
    const { code, outcome } = await drain('--dry-run');
    assert.deepEqual({ code, outcome }, { code: 0, outcome: 'dry_run' });
  });

  it('runs a workflow in TypeScript, on facts that it is told', async () => {
    const restart = path.join(REMEDIES, 'restart-if-down.hcl');
    const up = await events(restart, '--arg', 'unit=web.service', '--fact', 'look.active_state=active');
    assert.equal(up.outcome, 'no_fault');
    const down = await events(restart, '--arg', 'unit=web.service', '--fact', 'check-2.active_state=active');
    assert.equal(down.outcome, 'healed');
    assert.ok(down.told.includes('step restart#1 done'));
  });

  it('judges the arguments of a step as a coordinator and an agent do', async () => {
    const { outcome, events: told } = await events(file('restart-node.hcl'), '--node', 'web-1');
    assert.equal(outcome, 'refused_by_agent');
    assert.match(told[0]?.message ?? '', /argument "unit" must be/);
    const nobody = await run(file('drain.hcl'));
    assert.equal(nobody.code, 2);
    assert.match(nobody.err, /pool: missing/);
  });

  it('heals a type where the workflow may', async () => {
    const { code, out } = await run(file('anywhere.hcl'), '--node-type', 'web');
    assert.equal(code, 0);
    assert.match(out, /look +done +ping/);
  });

  it('says what is wrong with a file, a fake or a step that there is not', async () => {
    const drainFile = file('drain.hcl');
    assert.equal((await run(file('nowhere.hcl'))).code, 3);
    for (const [words, said] of [
      [['restart-service'], /no workflow file; try: fettle test workflows\.d\/restart-service\.hcl/],
      [[drainFile, '--arg', 'pool=a', '--fake', 'restrat=done'], /no step restrat; there are notes, drain/],
      [[drainFile, '--arg', 'pool=a', '--fake', 'restart=well'], /"well" is no result; write one of done/],
      [[drainFile, '--arg', 'pool=a', '--fact', 'active'], /write STEP\.NAME=text/],
    ] as const) {
      const { code, err } = await run(words[0], ...words.slice(1));
      assert.equal(code, 2, err);
      assert.match(err, said);
    }
  });

  it('prints one line for what repeats', async () => {
    const { code, out } = await run(file('drain.hcl'), '--arg', 'pool=a', '--fake', 'restart=no_permit:node_busy');
    assert.equal(code, 5);
    assert.match(out, /no_permit \(node_busy\) x120/);
    assert.match(out, /^failed after 9m59s of its own time/m);
  });
});
