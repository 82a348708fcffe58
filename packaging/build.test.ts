import assert from 'node:assert/strict';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import { eventually, runProcess, startProcess, temporaryDirectory } from '../test/support/processes.ts';
import { makeSite } from '../test/support/site.ts';
import description from '../package.json' with { type: 'json' };
import { buildPackage } from './build.ts';
import { LIGHT_FLAGS } from './light/flags.ts';
import { LIGHT_PARTS } from './light/parts.ts';

describe('a built package, away from the checkout', () => {
  let home: string;
  const env = { PATH: `${path.dirname(process.execPath)}:${process.env['PATH']}` };
  const fettle = (...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> =>
    runProcess([path.join(home, 'fettle'), ...args], { cwd: home, env });

  before(async (context) => {
    const directory = await temporaryDirectory();
    if ('after' in context) context.after(() => directory[Symbol.asyncDispose]());
    await buildPackage(path.join(directory.path, 'dist'));
    home = path.join(directory.path, 'elsewhere');
    await cp(path.join(directory.path, 'dist'), home, { recursive: true });
  });

  it('runs without node_modules', async () => {
    assert.deepEqual(await fettle('--version'), { code: 0, stdout: description.version, stderr: '' });
  });

  it('reads configuration, with its grammar beside it', async () => {
    const rule = 'server_config {\n  route_rule {\n    name = "all"\n    methud = "GET"\n  }\n}\n';
    await writeFile(path.join(home, 'acl.hcl'), rule);
    const { code, stdout, stderr } = await fettle('validate', path.join(home, 'acl.hcl'));
    assert.equal(code, 3);
    assert.match(stdout + stderr, /acl\.hcl:4:5: .*methud/);
  });

  it('runs a workflow against fakes', async () => {
    await writeFile(path.join(home, 'look.hcl'), 'step "look" {\n  action = "ping"\n}\n');
    const { code, stdout, stderr } = await fettle('test', path.join(home, 'look.hcl'));
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^healed after 1s/m);
  });

  it('loads what agents and coordinators are made of', async () => {
    for (const role of ['agent', 'coordinator']) {
      const { code, stderr } = await fettle(role, '--config', path.join(home, 'nowhere.hcl'));
      assert.equal(code, 3, `${role}: ${stderr}`);
    }
  });

  it('takes what was compiled as it was built, with the flags of its launcher', async () => {
    for (const { name } of LIGHT_PARTS) {
      const ask = `const { compilePart } = require('./start.js');
        console.log(compilePart(${JSON.stringify(name)}, ${JSON.stringify(home)}).script.cachedDataRejected)`;
      const { stdout, stderr } = await runProcess([process.execPath, ...LIGHT_FLAGS, '--eval', ask], { cwd: home });
      assert.equal(stdout, 'false', `${name}: ${stderr}`);
    }
  });

  it('runs where the cache is missing or of another Node', async () => {
    const cache = path.join(home, 'agent.js.cache');
    const kept = await readFile(cache);
    for (const other of [kept.subarray(0, 1000), null]) {
      await (other === null ? rm(cache) : writeFile(cache, other));
      const { code, stderr } = await fettle('agent', '--config', path.join(home, 'nowhere.hcl'));
      assert.deepEqual([code, /nowhere\.hcl/.test(stderr)], [3, true], stderr);
    }
    await writeFile(cache, kept);
  });

  it('runs agents that take orders', async (context) => {
    const site = await makeSite({ nodes: [{ name: 'web-1', type: 'web' }], workflows: {} });
    context.after(() => site[Symbol.asyncDispose]());
    await site.setUp();
    await using agent = startProcess([path.join(home, 'fettle'), 'agent', '--config', site.configFile('agent-web-1')], {
      name: 'packaged agent',
      env,
    });
    await agent.waitForLine('connected to Temporal', { timeoutMs: 60_000 });
    await site.startCoordinator();
    const client = await site.client();
    try {
      const looked = async (): Promise<boolean> => {
        const asked = await client.request({ workflow: 'site-ping', target: { node: 'web-1' }, reason: 'test' });
        if (asked.decision !== 'admitted') return false;
        const ended = async () => (await client.getExecution(asked.execution)).outcome === 'healed';
        await eventually(ended, { what: 'the end', timeoutMs: 60_000 });
        return true;
      };
      await eventually(looked, { what: 'an order of the packaged agent', timeoutMs: 60_000, everyMs: 1_000 });
    } finally {
      await client[Symbol.asyncDispose]();
    }
  });
});
