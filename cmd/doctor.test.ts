import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTestPki, type TestPki } from '../test/support/ca.ts';
import { freePort } from '../test/support/processes.ts';
import { startTemporal } from '../test/support/temporal.ts';
import { runCommandLine } from './command-line.ts';
import type { Finding } from './finding.ts';
import { scriptedCoordinator, STATUS, testIo } from './testing.ts';

async function fettle(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = testIo({ now: Date.now });
  const code = await runCommandLine(words, io);
  return { code, out: io.out(), err: io.err() };
}

async function findingsOf(...words: string[]): Promise<{ code: number; findings: Finding[] }> {
  const { code, out, err } = await fettle('doctor', '-o', 'json', ...words);
  assert.notEqual(out, '', err);
  return { code, findings: JSON.parse(out).findings };
}

const found = (findings: readonly Finding[], state: Finding['state'], text: RegExp): boolean =>
  findings.some(
    (finding) => finding.state === state && text.test(finding.found) && (state === 'ok') === (finding.next === null),
  );

async function coordinatorFile(pki: TestPki, temporal: string): Promise<string> {
  const { certificate, key, bundle } = await pki.issue('/coordinator');
  const workflows = join(pki.dir, 'workflows.d');
  await mkdir(workflows, { recursive: true });
  const file = join(pki.dir, 'coordinator.hcl');
  await writeFile(
    file,
    `state_dir     = "${pki.dir}"
workflows_dir = "${workflows}"
grant_key     = "${pki.grantKeys.privateKey}"
identity {
  certificate = "${certificate}"
  key         = "${key}"
  bundle      = "${bundle}"
}
temporal { address = "${temporal}" }
server_config { enable_tls = true }
`,
  );
  return file;
}

async function agentFile(pki: TestPki, temporal: string, path = '/agent/dc1/web/web-1'): Promise<string> {
  const { certificate, key, bundle } = await pki.issue(path);
  const file = join(pki.dir, 'agent.hcl');
  await writeFile(
    file,
    `state_dir  = "${pki.dir}"
brake_file = "${join(pki.dir, 'stop')}"
identity {
  certificate = "${certificate}"
  key         = "${key}"
  bundle      = "${bundle}"
}
temporal { address = "${temporal}" }
coordinator {
  issuer     = "spiffe://example.com/coordinator"
  grant_keys = ["${pki.grantKeys.publicKey}"]
}
allow "systemd.restart" {}
`,
  );
  return file;
}

test('on a real Temporal server: doctor says what is missing, setup makes it, doctor agrees', async () => {
  await using pki = await makeTestPki();
  await using server = await startTemporal();
  const file = await coordinatorFile(pki, server.address);
  const before = await findingsOf('--config', file);
  assert.equal(before.code, 1);
  assert.ok(
    found(before.findings, 'ok', new RegExp(`answers at ${server.address}, version`)),
    JSON.stringify(before.findings),
  );
  assert.ok(found(before.findings, 'fail', /namespace fettle does not exist/));
  assert.ok(found(before.findings, 'fail', /namespace fettle-agents does not exist/));

  const setup = await fettle('setup', 'temporal', '--config', file);
  assert.equal(setup.code, 0, setup.err);
  assert.match(setup.out, /^namespace fettle +created$/m);
  const again = await fettle('setup', 'temporal', '--config', file, '-o', 'json');
  assert.deepEqual(
    [...new Set(JSON.parse(again.out).steps.map((step: { done: string }) => step.done))],
    ['already there'],
  );

  const after = await findingsOf('--config', file);
  assert.equal(after.code, 0, JSON.stringify(after.findings));
  for (const text of [
    /namespace fettle is there/,
    /all 9 search attributes/,
    /gate of domain main is there/,
    /spiffe:\/\/example\.com\/coordinator, valid for another/,
  ]) {
    assert.ok(found(after.findings, 'ok', text), `${text.source} in ${JSON.stringify(after.findings)}`);
  }
  assert.ok(found(after.findings, 'warn', /nobody polls fettle\/gate \(workflow\)/));
  assert.ok(found(after.findings, 'warn', /lets anyone in: without any credential namespace fettle can be read/));

  const agent = await findingsOf('--config', await agentFile(pki, server.address));
  assert.equal(agent.code, 0, JSON.stringify(agent.findings));
  assert.ok(found(agent.findings, 'warn', /nobody polls dc1\/node\/web-1 \(activity\)/));
});

test('a Temporal server that is away, a key open to everybody and a brake are said, each with what to do', async () => {
  await using pki = await makeTestPki();
  const file = await agentFile(pki, `127.0.0.1:${await freePort()}`);
  const { key } = await pki.issue('/agent/dc1/web/web-1', { name: 'open' });
  await writeFile(join(pki.dir, 'stop'), '');
  const { chmod } = await import('node:fs/promises');
  await chmod(key.replace('/open/', '/agent_dc1_web_web-1/'), 0o644);
  await chmod(file, 0o666);
  const { code, findings } = await findingsOf('--config', file);
  assert.equal(code, 1);
  assert.ok(found(findings, 'fail', /agent\.hcl can be changed by others \(mode 0666\)$/));
  assert.ok(found(findings, 'fail', /cannot reach Temporal at 127\.0\.0\.1:/), JSON.stringify(findings));
  assert.ok(found(findings, 'fail', /open to every user of this machine \(mode 0644\)/));
  assert.ok(found(findings, 'warn', /the brake is on/));
});

test("an agent whose certificate names no agent's place is told so", async () => {
  await using pki = await makeTestPki();
  const { code, findings } = await findingsOf('--config', await agentFile(pki, '127.0.0.1:1', '/person/oncall'));
  assert.equal(code, 1);
  assert.ok(found(findings, 'fail', /names no agent's place/), JSON.stringify(findings));
});

test('an invalid configuration is told with every problem', async () => {
  await using pki = await makeTestPki();
  const file = join(pki.dir, 'agent.hcl');
  await writeFile(file, 'allow "systemd.restrt" {}\nbrake_file = 5\n');
  const { code, findings } = await findingsOf('--config', file);
  assert.equal(code, 1);
  assert.ok(found(findings, 'fail', /agent\.hcl:1:/), JSON.stringify(findings));
  assert.ok(found(findings, 'fail', /agent\.hcl:2:/));
});

test('without a role: reaches each coordinator of the profile, and says which clock is off', async () => {
  const status = { ...STATUS, warnings: [] };
  const health = (aheadMs: number) => ({
    status: 200,
    body: {},
    headers: { date: new Date(Date.now() + aheadMs).toUTCString() },
  });
  await using well = await scriptedCoordinator({
    'GET /healthz': health(0),
    'GET /v1/status': { status: 200, body: status },
  });
  await using late = await scriptedCoordinator({
    'GET /healthz': health(-60_000),
    'GET /v1/status': { status: 403, body: { code: 'not_allowed', message: 'no' } },
  });
  const away = `http://127.0.0.1:${await freePort()}`;
  const one = await findingsOf('--coordinator', well.url);
  assert.equal(one.code, 0, JSON.stringify(one.findings));
  assert.ok(found(one.findings, 'ok', /gate open, 3 nodes alive/));
  const { code, findings } = await findingsOf(
    '--coordinator',
    well.url,
    '--coordinator',
    late.url,
    '--coordinator',
    away,
  );
  assert.equal(code, 1);
  assert.ok(found(findings, 'fail', /the clock of .* behind ours/), JSON.stringify(findings));
  assert.ok(found(findings, 'fail', new RegExp(`^${away}: `)));
});

test('without a profile doctor says how to name a coordinator', async () => {
  const { code, out, err } = await fettle('doctor');
  assert.equal(code, 1);
  assert.match(out, /^fail {2}client +no coordinator is named/);
  assert.match(out, /do: fettle status --help/);
  assert.match(err, /1 looked at, 1 failed, 0 warnings\./);
});
