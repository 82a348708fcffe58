import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { CoordinatorConfig } from './coordinator.ts';
import { ConfigError, loadCoordinator, loadWorkflows } from './load.ts';
import type { Problem } from './problem.ts';
import { watchConfig, type Watched } from './watched.ts';
import type { WorkflowConfig } from './workflow.ts';

type Workflows = readonly WorkflowConfig[];
type Seen = {
  readonly changes: string[];
  readonly refusals: string[];
  readonly when: (holds: () => boolean) => Promise<void>;
};

/** What the watcher told, and a way to wait until it has told enough. */
function observer(): Seen & {
  onChange: (config: Workflows) => void;
  onProblems: (problems: readonly Problem[]) => void;
} {
  const changes: string[] = [];
  const refusals: string[] = [];
  let told = Promise.withResolvers<void>();
  const tell = (): void => {
    told.resolve();
    told = Promise.withResolvers();
  };
  return {
    changes,
    refusals,
    when: async (holds) => {
      while (!holds()) await told.promise;
    },
    onChange: (config) => {
      changes.push(config.map(({ definition }) => `${definition.name}:${definition.description}`).join(' '));
      tell();
    },
    onProblems: (problems) => {
      refusals.push(problems.map(({ message }) => message).join(' '));
      tell();
    },
  };
}

const text = (description: string): string => `description = "${description}"\nstep "a" {\n  action = "ping"\n}\n`;

async function begin(context: TestContext, options: { pollMs?: number } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'fettle-watch-'));
  const file = join(folder, 'w.hcl');
  await writeFile(file, text('first'));
  const seen = observer();
  const { onChange, onProblems } = seen;
  const watched: Watched<Workflows> = await watchConfig({
    load: () => loadWorkflows(folder),
    paths: [folder],
    onChange,
    onProblems,
    pollMs: options.pollMs,
    debounceMs: 20,
  });
  context.after(async () => {
    await watched[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  return { folder, file, seen, watched };
}

test('follows a file that is written in place, and one renamed over it', async (context) => {
  const { folder, file, seen, watched } = await begin(context, { pollMs: 3_600_000 });
  assert.deepEqual(seen.changes, []);
  await writeFile(file, text('second'));
  await seen.when(() => seen.changes.at(-1) === 'w:second');
  await writeFile(join(folder, 'new'), text('third'));
  await rename(join(folder, 'new'), file);
  await seen.when(() => seen.changes.at(-1) === 'w:third');
  assert.equal(watched.current()[0]?.definition.description, 'third');
});

test('follows files that come and go', async (context) => {
  const { folder, seen } = await begin(context, { pollMs: 3_600_000 });
  await writeFile(join(folder, 'x.hcl'), text('more'));
  await seen.when(() => seen.changes.at(-1) === 'w:first x:more');
  await rm(join(folder, 'x.hcl'));
  await seen.when(() => seen.changes.at(-1) === 'w:first');
});

test('sees by looking what no notification tells: a link on the way that points elsewhere', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'fettle-watch-'));
  context.after(() => rm(folder, { recursive: true }));
  for (const version of ['v1', 'v2']) {
    await mkdir(join(folder, version));
    await writeFile(join(folder, version, 'w.hcl'), text(version));
    await symlink(version, join(folder, `to-${version}`));
  }
  const current = join(folder, 'to-v1');
  const { onChange, onProblems, changes, when } = observer();
  const load = () => loadWorkflows(current);
  await using _watched = await watchConfig({ load, paths: [join(current, 'w.hcl')], onChange, onProblems, pollMs: 20 });
  await rename(join(folder, 'to-v2'), current);
  await when(() => changes.at(-1) === 'w:v2');
  await symlink('v1', join(folder, 'back'));
  await rename(join(folder, 'back'), current);
  await when(() => changes.at(-1) === 'w:v1');
});

test('a bad file leaves the old value in force and is told, until it is mended', async (context) => {
  const { file, seen, watched } = await begin(context);
  const before = watched.status();
  assert.deepEqual([before.problems.length, before.files], [0, [file]]);
  await writeFile(file, 'description = broken\n');
  await seen.when(() => seen.refusals.length > 0);
  assert.match(seen.refusals[0] ?? '', /broken is a bare word/);
  assert.equal(watched.current()[0]?.definition.description, 'first');
  assert.deepEqual([watched.status().loadedAt, watched.status().problems.length], [before.loadedAt, 1]);
  await writeFile(file, text('mended'));
  await seen.when(() => seen.changes.at(-1) === 'w:mended');
  assert.deepEqual(watched.status().problems, []);
});

test('reads again on demand, whether or not anything changed', async (context) => {
  const { file, seen, watched } = await begin(context, { pollMs: 3_600_000 });
  assert.equal(await watched.reload(), true);
  assert.deepEqual(seen.changes.at(-1), 'w:first');
  await writeFile(file, 'nonsense');
  assert.equal(await watched.reload(), false);
});

test('a first reading with errors is refused as a whole', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'fettle-watch-'));
  context.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'w.hcl'), 'nonsense');
  const { onChange, onProblems } = observer();
  await assert.rejects(
    watchConfig({ load: () => loadWorkflows(folder), paths: [folder], onChange, onProblems }),
    ConfigError,
  );
});

test('a change that cannot be put into force is told as a problem', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'fettle-watch-'));
  context.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'w.hcl'), text('first'));
  const refusals: string[] = [];
  const onProblems = (problems: readonly Problem[]): void =>
    void refusals.push(problems.map(({ message }) => message).join(' '));
  const onChange = (): never => {
    throw new Error('no room');
  };
  await using watched = await watchConfig({ load: () => loadWorkflows(folder), paths: [folder], onChange, onProblems });
  assert.equal(await watched.reload(), false);
  assert.match(refusals[0] ?? '', /could not be put into force: no room/);
});

test('follows what its files name beside them, bad or absent, and reads nothing anew while all stays as it is', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'fettle-watch-'));
  const elsewhere = await mkdtemp(join(tmpdir(), 'fettle-beside-'));
  const calendar = join(elsewhere, 'freeze.ics');
  const file = join(folder, 'c.hcl');
  const window = (path: string): string => `window "w" {\n  changes = "forbidden"\n  calendar = "${path}"\n}\n`;
  const rest = 'grant_key = "k"\ntemporal { address = "127.0.0.1:7233" }\nserver_config { enable_tls = false }\n';
  const event = (day: string): string =>
    `BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:${day}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n`;
  await writeFile(file, rest + window(calendar));
  /** Whole at once, as editors and downloads that are careful do. */
  const put = async (day: string): Promise<void> => {
    await writeFile(`${calendar}.new`, event(day));
    await rename(`${calendar}.new`, calendar);
  };
  await put('20261224');
  const told: string[] = [];
  let tell = Promise.withResolvers<void>();
  const say = (what: string): void => {
    told.push(what);
    tell.resolve();
    tell = Promise.withResolvers();
  };
  let readings = 0;
  const watched = await watchConfig<CoordinatorConfig>({
    load: () => {
      readings += 1;
      return loadCoordinator([file]);
    },
    paths: [file],
    onChange: () => say('changed'),
    onProblems: (problems) => say(problems.map(({ message }) => message.split(';')[0]).join()),
    pollMs: 20,
    debounceMs: 10,
  });
  context.after(async () => {
    await watched[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
    await rm(elsewhere, { recursive: true });
  });
  const after = async (act: () => Promise<void>): Promise<string | undefined> => {
    const next = tell.promise;
    await act();
    await next;
    return told.at(-1);
  };
  assert.equal(await after(() => put('20261231')), 'changed');
  assert.match((await after(() => rm(calendar))) ?? '', /there is no such file or folder/);
  assert.equal(await after(() => put('20270101')), 'changed');
  assert.equal(readings, 1 + told.length);
});
