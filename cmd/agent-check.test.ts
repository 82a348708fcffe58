import assert from 'node:assert/strict';
import { chmod, chown, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { temporaryDirectory } from '../test/support/processes.ts';
import { runCommandLine } from './command-line.ts';
import { testIo } from './testing.ts';

const AGENT = `
state_dir   = "state"
actions_dir = "actions.d"
secrets_dir = "secrets"
brake_file  = "stop"
identity {
  certificate = "svid.pem"
  key         = "svid.key"
  bundle      = "bundle.pem"
}
temporal { address = "127.0.0.1:7233" }
coordinator {
  issuer     = "spiffe://example.com/coordinator"
  grant_keys = ["grant.pub"]
}
allow "exec" {
  args     = { command = { one_of = ["greet"] } }
  per_hour = 2
}
never "exec" { args = { word = "swordfish" } }
`;
const COMMANDS = 'command "greet" {\n  argv = ["/bin/echo", "{word}"]\n  input "word" { pattern = "[a-z]+" }\n}\n';

async function host(context: TestContext) {
  const home = await temporaryDirectory('fettle-check-');
  context.after(() => home[Symbol.asyncDispose]());
  const at = (name: string): string => join(home.path, name);
  for (const name of ['actions.d', 'secrets']) await mkdir(at(name));
  await writeFile(at('agent.hcl'), AGENT);
  await writeFile(at('grant.pub'), '');
  await writeFile(at('actions.d/greet.hcl'), COMMANDS);
  await writeFile(at('secrets/word'), 'swordfish\n');
  const fettle = async (...words: string[]) => {
    const io = testIo();
    const code = await runCommandLine([...words, '--config', at('agent.hcl')], io);
    return { code, out: io.out(), err: io.err() };
  };
  return { at, fettle, check: (...words: string[]) => fettle('agent', 'check', ...words) };
}
const GREET = ['exec', '--arg', 'command=greet', '--arg', 'word=world'];

describe('fettle agent check', () => {
  it('says what would be done, and by which block', async (context) => {
    const { check } = await host(context);
    const { code, out } = await check(...GREET);
    assert.equal(code, 0, out);
    assert.match(out, /^allowed {2}exec\n/);
    assert.match(out, /rules +ok +fits allow "exec" at .*agent\.hcl:16/);
    assert.match(out, /caps +ok .*agent\.hcl:16 has per_hour = 2, and 0 are counted/);
    assert.match(out, /would run \["\/bin\/echo","world"\] in \//);
  });

  it('refuses as the agent would, with every reason and without a secret', async (context) => {
    const { check, fettle } = await host(context);
    const secret = 'word:={"template":[{"ref":"secret.word"}]}';
    const { code, out } = await check('exec', '--arg', 'command=greet', '--arg', secret);
    assert.equal(code, 6);
    assert.match(
      out,
      /^refused.*\n[^]*action_not_allowed: this host never does "exec" with the given word: never block/,
    );
    assert.doesNotMatch(out, /swordfish/);
    await fettle('stop-here', '--reason', 'moving house');
    const { check: document } = JSON.parse((await check('no.such', '-o', 'json')).out);
    const codes = document.checks.map(({ name, code: why }: { name: string; code: string }) => [name, why]);
    assert.deepEqual(codes, [
      ['action', 'action_unknown'],
      ['secrets', null],
      ['rules', 'action_not_allowed'],
      ['arguments', 'args_invalid'],
      ['brake', 'brake'],
    ]);
    assert.match(JSON.stringify(document), /moving house/);
  });

  it('is 3 where files could be changed by others, with what to type', async (context) => {
    const { check, at } = await host(context);
    await chmod(at('actions.d/greet.hcl'), 0o664);
    await chmod(at('secrets'), 0o777);
    await symlink('/etc/hostname', at('secrets/host'));
    const others = process.geteuid?.() === 0 ? [at('grant.pub')] : [];
    for (const file of others) await chown(file, 1234, 0);
    const { code, err } = await check(...GREET);
    assert.equal(code, 3);
    assert.match(
      err,
      /actions\.d\/greet\.hcl:1:1: can be changed by others \(mode 0664\); type: chmod go-w \S+greet\.hcl/,
    );
    assert.match(err, /secrets:1:1: can be changed by others \(mode 0777\)/);
    assert.match(err, /secrets\/host:1:1: is a link that leads out of /);
    for (const file of others)
      assert.ok(err.includes(`${file}:1:1: belongs to uid 1234; type: chown root ${file}`), err);
  });
});

describe('secrets', () => {
  it('are those of the unit where there is no secrets_dir', async (context) => {
    const { at } = await host(context);
    await writeFile(at('agent.hcl'), AGENT.replace(/secrets_dir.*\n/, ''));
    const given = ['--arg', 'command=greet', '--arg', 'word:={"template":[{"ref":"secret.word"}]}'];
    const answers: [env: Record<string, string>, expected: RegExp][] = [
      [{}, /secrets +refused +args_invalid: .*no secrets_dir and its unit no credentials/],
      [{ CREDENTIALS_DIRECTORY: at('secrets') }, /secrets +ok +1 found/],
    ];
    for (const [env, expected] of answers) {
      const io = testIo({ env });
      await runCommandLine(['agent', 'check', 'exec', ...given, '--config', at('agent.hcl')], io);
      assert.match(io.out(), expected);
      assert.doesNotMatch(io.out(), /swordfish/);
    }
  });
});

describe('fettle stop-here', () => {
  it('writes the brake file with reason, who and when, and takes it away', async (context) => {
    const { fettle, at } = await host(context);
    const pulled = await fettle('stop-here', '--cancel-running', '--reason', 'a\nb\u0007');
    assert.match(pulled.out, /^braked: nothing new .* what runs is being ended\nLift it: fettle stop-here --lift/);
    assert.match(
      await readFile(at('stop'), 'utf8'),
      /^reason: a b ?\nby: .+\nat: 2026-11-21T12:00:00\.000Z\ncancel: yes\n$/,
    );
    assert.match((await fettle('stop-here', '--lift')).out, /^lifted: "a b", by .*: this host takes orders again/);
    assert.match((await fettle('stop-here', '--lift')).out, /^not braked/);
  });

  it('does one thing at a time', async (context) => {
    const { fettle } = await host(context);
    const { err, code } = await fettle('stop-here', '--lift', '--reason', 'x');
    assert.deepEqual([code, /--lift stands alone/.test(err)], [2, true]);
  });
});
