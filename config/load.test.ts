import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EXAMPLES } from './examples.ts';
import * as load from './load.ts';
import { formatProblem } from './problem.ts';
import { validateFiles } from './validate.ts';

const FIELD = fileURLToPath(new URL('../test/configs/field/', import.meta.url));

async function folderWith(context: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fettle-load-'));
  context.after(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

const errorsIn = (loaded: load.Loaded<unknown>, folder: string): string[] =>
  loaded.problems.map((problem) => formatProblem(problem).replaceAll(`${folder}/`, ''));

test('the ACL known from the field loads as it stands, with warnings only', async () => {
  const file = join(FIELD, 'acl.hcl');
  const { problems, files } = await validateFiles([file]);
  assert.deepEqual(files, [{ file, kind: 'coordinator' }]);
  assert.deepEqual(
    problems.map(({ severity, place }) => [severity, place.line, place.column]),
    [
      ['warning', 14, 22],
      ['warning', 14, 22],
    ],
  );
});

test('the workflow known from the field loads as it stands, value as string, is_global as scope', async () => {
  const { config, problems } = await load.loadWorkflows(join(FIELD, 'restart-service.hcl'));
  assert.deepEqual(problems, []);
  const definition = config?.[0]?.definition;
  assert.equal(definition?.name, 'restart-service');
  assert.deepEqual(definition?.taskQueueTarget, { kind: 'node' });
  assert.deepEqual(definition?.constraints, [
    { kind: 'concurrency', value: 1, percent: false, periodMs: 900_000, scope: 'target' },
    { kind: 'maxExecution', value: 1, percent: false, periodMs: 3_600_000, scope: 'target' },
    { kind: 'maxExecution', value: 3, percent: false, periodMs: 86_400_000, scope: 'global' },
  ]);
  assert.deepEqual(definition?.inputs[0]?.pattern, '^[A-Za-z0-9@._-]+\\.service$');
  assert.deepEqual(definition?.steps[0]?.retry, { attempts: 2, waitMs: 10_000 });
  assert.deepEqual(definition?.onFailure, { notify: ['oncall'], steps: [] });
});

test('the trigger known from the field loads as it stands', async () => {
  const { config } = await load.loadTriggers(join(FIELD, 'trigger.hcl'), { sources: [] });
  const [trigger] = config?.triggers ?? [];
  assert.deepEqual(trigger?.target, { kind: 'node', value: { template: [{ ref: 'labels.node' }] } });
  assert.deepEqual(
    [trigger?.everyMs, trigger?.forMs, trigger?.validForMs, trigger?.gapMs, trigger?.againMs],
    [5_000, 15_000, 120_000, 30_000, null],
  );
  assert.equal(config?.sources[0]?.url, 'http://127.0.0.1:9090');
});

test('a coordinator loads from one file, relative paths counting from its folder', async (context) => {
  const folder = await folderWith(context, { 'c.hcl': EXAMPLES.coordinator });
  const { config } = await load.loadCoordinator([join(folder, 'c.hcl')]);
  assert.ok(config !== null);
  assert.deepEqual(
    [config.grantKey, config.inventory, config.identity?.key],
    ['grant.key', 'inventory.hcl', 'svid.key'].map((name) => join(folder, name)),
  );
  assert.deepEqual([config.listen, config.enableTls, config.domain], [{ host: '0.0.0.0', port: 7443 }, true, 'main']);
  assert.deepEqual(
    [config.access.routeRules.length, config.access.workflowRules.length, config.access.sourceRules.length],
    [3, 2, 1],
  );
  assert.deepEqual(
    [config.temporal.namespace, config.temporal.tls],
    ['fettle', { ca: null, certificate: null, key: null, serverName: null }],
  );
  assert.equal(config.notify[0]?.timeoutMs, 10_000);
});

test('a coordinator split over a folder of files is the same as one file', async (context) => {
  const [first = '', ...rest] = EXAMPLES.coordinator.split(/(?=^source "prom)/m);
  const folder = await folderWith(context, {
    '1.hcl': first,
    '2.hcl': rest.join(''),
    'note.txt': 'not read',
    '.3.hcl': 'not { read',
  });
  const loaded = await load.loadCoordinator([folder]);
  assert.deepEqual(errorsIn(loaded, folder), []);
  assert.deepEqual(loaded.files, [join(folder, '1.hcl'), join(folder, '2.hcl')]);
  assert.deepEqual([loaded.config?.sources.length, loaded.config?.notify.length], [1, 1]);
});

test('without TLS a coordinator listens on loopback and needs no identity', async (context) => {
  const text = 'grant_key = "k"\ntemporal { address = "127.0.0.1:7233" }\nserver_config { enable_tls = false }\n';
  const folder = await folderWith(context, { 'c.hcl': text });
  const { config } = await load.loadCoordinator([join(folder, 'c.hcl')]);
  assert.deepEqual([config?.listen, config?.identity], [{ host: '127.0.0.1', port: 7443 }, null]);
});

test('an agent, a trigger daemon, an inventory, commands and a client profile load', async (context) => {
  const folder = await folderWith(context, {
    'agent.hcl': EXAMPLES.agent,
    'daemon.hcl': EXAMPLES['trigger-daemon'],
    'inventory.hcl': EXAMPLES.inventory,
    'actions.d/c.hcl': EXAMPLES.commands,
    'client.hcl': EXAMPLES.client,
  });
  const agent = load.configOf(
    await load.loadAgent([join(folder, 'agent.hcl')], {
      actions: {
        ping: { named: {}, others: null },
        exec: { named: {}, others: '' },
        'systemd.restart': { named: { unit: { required: true } }, others: null },
      },
    }),
  );
  assert.deepEqual(
    [agent.maxActions, agent.brakeFile, agent.metricsListen],
    [4, '/etc/fettle/stop', { host: '127.0.0.1', port: 9464 }],
  );
  assert.deepEqual(
    { ...agent.allow[1]?.args },
    {
      unit: { kind: 'pattern', pattern: '(web|worker-[0-9]+)\\.service' },
    },
  );
  assert.deepEqual([agent.allow[2]?.perHour, agent.allow[2]?.concurrent, agent.helper], [6, null, null]);
  assert.deepEqual(agent.clean[0]?.olderThanMs, 86_400_000);
  assert.deepEqual({ ...agent.never[0]?.args }, { unit: { kind: 'units', units: ['ssh.service', 'ssh.socket'] } });
  const daemon = load.configOf(await load.loadTriggerDaemon([join(folder, 'daemon.hcl')]));
  assert.deepEqual(daemon.sources[0]?.auth, {
    kind: 'basic',
    username: 'fettle',
    passwordFile: join(folder, 'prometheus.password'),
  });
  const nodes = load.configOf(await load.loadInventory(join(folder, 'inventory.hcl')));
  assert.deepEqual(
    nodes.map(({ node, nodeType, datacenter }) => [node, nodeType, datacenter]),
    [
      ['web-1', 'web', 'dc1'],
      ['db-1', 'database', 'dc1'],
    ],
  );
  const [command] = load.configOf(await load.loadCommands(join(folder, 'actions.d')));
  assert.deepEqual(
    [command?.kind === 'program' && command.argv, command?.inputs, command?.timeoutMs],
    [['/usr/local/bin/cache-tool', 'clear', '--site={site}'], [{ name: 'site', pattern: '[a-z0-9-]{1,40}' }], 30_000],
  );
  const client = load.configOf(await load.loadClientProfile(join(folder, 'client.hcl')));
  assert.deepEqual([client.addresses.length, client.coordinatorId], [2, 'spiffe://example.com/coordinator']);
});

test('tells the problems of all files at once, in the order of files and then of places', async (context) => {
  const folder = await folderWith(context, {
    'a.hcl': 'name = 1\nserver_config {\n  listn = "127.0.0.1:1"\n}\ngrant_key = "k"\n',
    'b.hcl': 'temporal {\n  address = "x"\n}\nname = "twice"\n',
  });
  const loaded = await load.loadCoordinator([join(folder, 'b.hcl'), join(folder, 'absent.hcl'), join(folder, 'a.hcl')]);
  assert.equal(loaded.config, null);
  assert.deepEqual(
    errorsIn(loaded, folder).map((line) => line.split(';')[0]),
    [
      'b.hcl:2:13: temporal.address: "x" is no host:port',
      'absent.hcl:1:1: there is no such file or folder',
      'a.hcl:1:1: name: is already set at b.hcl:4:1',
      'a.hcl:3:3: server_config.listn: unknown attribute listn',
    ],
  );
  assert.throws(
    () => load.configOf(loaded),
    (error) => error instanceof load.ConfigError && error.message.split('\n').length === 4,
  );
});

test('a file that cannot be read is a problem at its beginning, not an exception', async (context) => {
  const folder = await folderWith(context, { 'bytes.hcl': '' });
  await writeFile(join(folder, 'bytes.hcl'), Uint8Array.of(0xff, 0xfe, 0x61));
  await writeFile(join(folder, 'large.hcl'), Buffer.alloc(1_100_000, 0x20));
  await symlink('loop.hcl', join(folder, 'loop.hcl'));
  const loaded = await load.loadWorkflows([
    ...['bytes', 'large', 'loop', 'absent'].map((name) => join(folder, `${name}.hcl`)),
    '/dev/zero',
  ]);
  assert.deepEqual(
    errorsIn(loaded, folder).map((line) => line.split(';')[0]),
    [
      'bytes.hcl:1:1: the file is not UTF-8 text',
      'large.hcl:1:1: the file is larger than 1 MB (1100000 bytes)',
      'loop.hcl:1:1: the path runs in a circle of symbolic links',
      'absent.hcl:1:1: there is no such file or folder',
      '/dev/zero:1:1: is not a regular file',
    ],
  );
});

test('a workflow is named after its file, and the name is checked', async (context) => {
  const folder = await folderWith(context, { 'Restart_Web.hcl': 'step "a" { action = "ping" }\n' });
  const loaded = await load.loadWorkflows(folder);
  assert.match(
    errorsIn(loaded, folder)[0] ?? '',
    /^Restart_Web\.hcl:1:1: "Restart_Web" is no workflow name; name the file/,
  );
});

test('never shows a secret that was put into a URL', async (context) => {
  const folder = await folderWith(context, {
    'c.hcl':
      'source "prometheus" "main" {\n  url = "http://user:hunter2@h:9090"\n}\nnotify "x" {\n  url = "https://a:hunter2@h"\n}\nnotify "y" {\n  url = "h/hunter2?token=hunter2"\n}\nsource "prometheus" "b" {\n  url = "user:hunter2@h"\n}\nagents {}\n',
  });
  const { problems } = await validateFiles([folder]);
  assert.equal(problems.length, 4);
  assert.ok(!JSON.stringify(problems).includes('hunter2'));
});
