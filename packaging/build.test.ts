import assert from 'node:assert/strict';
import { cp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import { runProcess, temporaryDirectory } from '../test/support/processes.ts';
import description from '../package.json' with { type: 'json' };
import { buildPackage } from './build.ts';

describe('a built package, away from the checkout', () => {
  let home: string;
  const fettle = (...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> =>
    runProcess([process.execPath, path.join(home, 'fettle.mjs'), ...args], { cwd: home });

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
});
