import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeTestPki, type TestPki } from '../test/support/ca.ts';
import { freePort } from '../test/support/processes.ts';
import { startTemporal } from '../test/support/temporal.ts';
import { runCommandLine } from './command-line.ts';
import { testIo } from './testing.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const PATIENCE_MS = 30_000;

type Line = { level: string; message: string; [key: string]: unknown };
type RoleProcess = AsyncDisposable & {
  /** The first line, past or to come, that fits. */
  readonly line: (fits: (line: Line) => boolean) => Promise<Line>;
  readonly signal: (name: NodeJS.Signals) => void;
  readonly code: Promise<number | null>;
};

/** Runs a role as its own process; each line it logs must be JSON. */
function startRole(role: string, config: string): RoleProcess {
  const child = spawn(process.execPath, [MAIN, role, '--config', config, '--log-level', 'debug'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: Line[] = [];
  const waiting = new Set<() => void>();
  let err = '';
  const wake = (): void => waiting.forEach((check) => check());
  createInterface(child.stdout).on('line', (text) => {
    lines.push(JSON.parse(text) as Line);
    wake();
  });
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const code = once(child, 'close').then(([status]) => status as number | null);
  void code.then(wake);
  const line: RoleProcess['line'] = (fits) =>
    new Promise((resolve, reject) => {
      const done = (): void => {
        waiting.delete(check);
        clearTimeout(timer);
      };
      const check = (): void => {
        const hit = lines.find(fits);
        if (hit === undefined && child.exitCode === null) return;
        done();
        if (hit === undefined) reject(new Error(`${role} ended: ${err}${JSON.stringify(lines.slice(-5))}`));
        else resolve(hit);
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`${role} never said it: ${err}${JSON.stringify(lines.slice(-10))}`));
      }, PATIENCE_MS);
      waiting.add(check);
      check();
    });
  return {
    line,
    signal: (name) => void child.kill(name),
    code,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await code;
    },
  };
}

const says = (text: string) => (line: Line) => line.message.includes(text);

const identity = ({ certificate, key, bundle }: { certificate: string; key: string; bundle: string }): string =>
  `identity {\n  certificate = "${certificate}"\n  key = "${key}"\n  bundle = "${bundle}"\n}\n`;

async function write(pki: TestPki, name: string, text: string): Promise<string> {
  const file = join(pki.dir, name);
  await writeFile(file, text);
  return file;
}

test('an agent starts without Temporal, follows its rules, keeps them when they are bad, and stops in order', async () => {
  await using pki = await makeTestPki();
  const text = `state_dir = "${pki.dir}/agent"
${identity(await pki.issue('/agent/dc1/web/web-1'))}
temporal { address = "127.0.0.1:${await freePort()}" }
coordinator {
  issuer     = "spiffe://example.com/coordinator"
  grant_keys = ["${pki.grantKeys.publicKey}"]
}
allow "*" {}
metrics { listen = "127.0.0.1:0" }
`;
  const file = await write(pki, 'agent.hcl', text);
  await using agent = startRole('agent', file);
  const { address } = await agent.line(says('metrics are served'));
  const metrics = async (): Promise<string> => (await fetch(`${String(address)}/metrics`)).text();
  await agent.line((line) => line.message === 'agent started' && 'files' in line);
  assert.match(await metrics(), /^fettle_agent_rules_refused 0$/m);
  await writeFile(file, `${text}never "exec" {}\n`);
  await agent.line((line) => line.message === 'new rules in force' && line['never'] === 1);
  await chmod(file, 0o666);
  await agent.line((line) => says('the old rules stay in force')(line) && /chmod go-w/.test(String(line['problems'])));
  assert.match(await metrics(), /^fettle_agent_rules_refused 1$/m);
  await chmod(file, 0o600);
  await writeFile(file, text.replace('/agent"', '/other"').replace('allow "*" {}', ''));
  agent.signal('SIGHUP');
  await agent.line(says('SIGHUP: reading again'));
  await agent.line((line) => line.message === 'new rules in force' && line['allow'] === 0);
  await agent.line(says('restart the agent to use them'));
  assert.match(await metrics(), /^fettle_agent_rules_refused 0$/m);
  agent.signal('SIGTERM');
  assert.equal(await agent.code, 0);
  await agent.line(says('stopping'));
});

test('a trigger daemon starts without Prometheus and coordinator, reads its triggers again, and keeps them when they are bad', async () => {
  await using pki = await makeTestPki();
  const triggers = join(pki.dir, 'triggers.d');
  await mkdir(triggers);
  const trigger = `trigger "web-wedged" {
  source   = "prometheus.main"
  query    = "up == 0"
  every    = "5s"
  for      = "15s"
  workflow = "restart-service"
  target   = { node = "\${labels.node}" }
}
`;
  await writeFile(join(triggers, 'web.hcl'), trigger);
  const text = `triggers_dir = "${triggers}"
${identity(await pki.issue('/trigger-daemon/one'))}
coordinator {
  addresses = ["https://127.0.0.1:${await freePort()}"]
  id        = "spiffe://example.com/coordinator"
}
source "prometheus" "main" { url = "http://127.0.0.1:${await freePort()}" }
metrics { listen = "127.0.0.1:0" }
`;
  await using daemon = startRole('trigger-daemon', await write(pki, 'daemon.hcl', text));
  await daemon.line(says('trigger-daemon started'));
  await writeFile(join(triggers, 'web.hcl'), trigger.replace('web-wedged', 'web-down'));
  await daemon.line(says('triggers were read again'));
  await writeFile(join(triggers, 'web.hcl'), 'trigger "x" {');
  await daemon.line(says('stay in force'));
  daemon.signal('SIGINT');
  assert.equal(await daemon.code, 0);
});

test('a coordinator serves people by mutual TLS, reloads on SIGHUP, and stops in order', async () => {
  await using pki = await makeTestPki();
  await using server = await startTemporal();
  const workflows = join(pki.dir, 'workflows.d');
  await mkdir(workflows);
  const workflow = 'task_queue_target = "node"\nstep "ping" {\n  action = "ping"\n  timeout = "10s"\n}\n';
  await writeFile(join(workflows, 'ping-node.hcl'), workflow);
  const port = await freePort();
  const text = `state_dir     = "${pki.dir}/coordinator"
workflows_dir = "${workflows}"
grant_key     = "${pki.grantKeys.privateKey}"
${identity(await pki.issue('/coordinator'))}
temporal { address = "${server.address}" }
server_config {
  listen     = "127.0.0.1:${port}"
  enable_tls = true
  route_rule {
    name           = "people"
    method         = "GET"
    route_patterns = ["/*"]
    uris           = ["spiffe://example.com/person/oncall"]
  }
}
`;
  const file = await write(pki, 'coordinator.hcl', text);
  const person = await pki.issue('/person/oncall');
  const stranger = await pki.issue('/person/stranger');
  const asked = async (who: typeof person, ...words: string[]): Promise<{ code: number; out: string; err: string }> => {
    const io = testIo({ now: Date.now });
    const flags = [
      '--coordinator',
      `https://127.0.0.1:${port}`,
      '--coordinator-id',
      'spiffe://example.com/coordinator',
    ];
    const own = ['--cert', who.certificate, '--key', who.key, '--bundle', who.bundle];
    const code = await runCommandLine([...words, ...flags, ...own], io);
    return { code, out: io.out(), err: io.err() };
  };
  const setup = testIo();
  assert.equal(await runCommandLine(['setup', 'temporal', '--config', file], setup), 0, setup.err());
  await using coordinator = startRole('coordinator', file);
  await coordinator.line(says('coordinator started'));
  await coordinator.line(says('workers poll Temporal'));
  const workflowsSeen = await asked(person, 'workflows');
  assert.deepEqual([workflowsSeen.code, workflowsSeen.err], [0, '']);
  assert.match(workflowsSeen.out, /^ping-node +node/m);
  assert.equal((await asked(person, 'ps')).code, 0);
  const denied = await asked(stranger, 'workflows');
  assert.equal(denied.code, 4);
  assert.match(denied.err, /you are spiffe:\/\/example\.com\/person\/stranger; .*route_rule/);
  const notPosted = await asked(person, 'run', 'ping-node', '--node', 'web-1');
  assert.equal(notPosted.code, 4);
  const health = await asked(person, 'doctor', '-o', 'json');
  assert.match(health.out, /proved spiffe:\/\/example\.com\/coordinator/);
  await writeFile(join(workflows, 'ping-again.hcl'), workflow);
  coordinator.signal('SIGHUP');
  await coordinator.line(says('SIGHUP: reading again'));
  await coordinator.line(says('workflows read again'));
  assert.match((await asked(person, 'workflows')).out, /^ping-again /m);
  coordinator.signal('SIGTERM');
  assert.equal(await coordinator.code, 0);
  const away = await asked(person, 'status');
  assert.equal(away.code, 7);
  assert.match(away.err, /no coordinator answered: .*; try: fettle doctor$/m);
});
