import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { EXAMPLES } from './examples.ts';
import { formatProblem } from './problem.ts';
import { validateFiles } from './validate.ts';

async function folderWith(context: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fettle-validate-'));
  context.after(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

async function validated(
  folder: string,
  ...rest: Parameters<typeof validateFiles> extends [unknown, ...infer R] ? R : never
) {
  const { files, problems } = await validateFiles([folder], ...rest);
  const short = (text: string): string => text.replaceAll(`${folder}/`, '');
  return {
    files: files.map(({ file, kind }) => `${short(file)} ${kind}`),
    problems: problems.map((problem) => short(formatProblem(problem))),
  };
}

test('a folder of a whole installation is judged file by file and across files', async (context) => {
  const folder = await folderWith(context, {
    'agent.hcl': EXAMPLES.agent,
    'coordinator.hcl': EXAMPLES.coordinator,
    'trigger-daemon.hcl': EXAMPLES['trigger-daemon'],
    'workflows.d/restart-service.hcl': EXAMPLES.workflow,
    'triggers.d/web.hcl': EXAMPLES.triggers,
    'actions.d/cache.hcl': EXAMPLES.commands,
    'inventory.d/all.hcl': EXAMPLES.inventory,
  });
  const { files, problems } = await validated(folder);
  assert.deepEqual(files, [
    'agent.hcl agent',
    'coordinator.hcl coordinator',
    'trigger-daemon.hcl trigger-daemon',
    'actions.d/cache.hcl commands',
    'inventory.d/all.hcl inventory',
    'triggers.d/web.hcl triggers',
    'workflows.d/restart-service.hcl workflow',
  ]);
  assert.deepEqual(problems, [
    'triggers.d/web.hcl:20:21: trigger["disk-full"].workflow: there is no workflow clean-disk; write one of: restart-service',
  ]);
});

test('triggers alone, and triggers beside a workflow that cannot be read, are not told that workflows are missing', async (context) => {
  const alone = await folderWith(context, { 'web.hcl': EXAMPLES.triggers });
  assert.deepEqual((await validated(alone)).problems, []);
  const beside = await folderWith(context, { 'web.hcl': EXAMPLES.triggers, 'clean-disk.hcl': 'step "a" {\n' });
  assert.deepEqual((await validated(beside)).problems, [
    'clean-disk.hcl:1:10: this { is never closed; a } is missing in or after it',
  ]);
});

test('parts of a role are whole when their kind is said, or when they lie in one folder', async (context) => {
  const access = 'server_config {}\n';
  const rest = EXAMPLES.coordinator.replace(/^server_config \{.*?^\}$/ms, '');
  const folder = await folderWith(context, { '1.hcl': rest, '2.hcl': access });
  assert.deepEqual((await validated(folder)).problems, []);
  const { problems } = await validateFiles([join(folder, '1.hcl')], { kind: 'coordinator' });
  assert.deepEqual(
    problems.map(({ path, message }) => `${path}: ${message}`),
    ['server_config: the block is missing; write server_config { ... }'],
  );
  assert.deepEqual((await validateFiles([join(folder, '2.hcl')])).problems, []);
  assert.equal((await validateFiles([join(folder, '2.hcl')], { kind: 'coordinator' })).problems.length, 3);
});

test('one workflow in two folders is told', async (context) => {
  const text = 'step "a" { action = "ping" }\n';
  const folder = await folderWith(context, { 'a/w.hcl': text, 'b/w.hcl': text });
  assert.deepEqual((await validated(folder)).problems, [
    'b/w.hcl:1:1: the workflow w is already in a/w.hcl; rename one of the two files',
  ]);
});

test('a folder without files, and a path that is not there, are problems', async (context) => {
  const folder = await folderWith(context, {});
  assert.match((await validated(folder)).problems[0] ?? '', /there are no \*\.hcl files here/);
  const { problems } = await validateFiles([join(folder, 'absent')]);
  assert.match(problems.map(formatProblem).join('\n'), /^\S+absent:1:1: there is no such file or folder[^\n]*$/);
});
