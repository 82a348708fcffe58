/** The remedies that ship with Fettle load as they are and do what their page says. That they heal is shown on hosts (remedies-host.test.ts). */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { runCommandLine } from '../cmd/command-line.ts';
import { KNOWN } from '../cmd/known.ts';
import { testIo } from '../cmd/testing.ts';
import { configOf, loadWorkflows } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import { validateFiles } from '../config/validate.ts';
import { TYPESCRIPT_WORKFLOWS } from '../workflows/typescript-workflows.ts';
import { ROOT } from './check/root.ts';
import { EXAMPLE_ARGUMENTS, REMEDIES, remediesPage, SHIPPED } from './remedies-page.ts';

const PAGE = path.join(ROOT, 'docs/remedies.md');
const file = (name: string): string => path.join(REMEDIES, `${name}.hcl`);
/** Those that need to know which nodes there should be. */
const WITH_INVENTORY = ['reboot-node', 'take-out-of-service'];

describe('shipped remedies', () => {
  it('are all on the page, in an order of its own', async () => {
    const names = (await readdir(REMEDIES)).filter((name) => name.endsWith('.hcl'));
    assert.deepEqual(names.toSorted(), SHIPPED.map((name) => `${name}.hcl`).toSorted());
  });

  it('are as docs/remedies.md tells', async () => {
    const page = await remediesPage();
    if (process.env['FETTLE_WRITE_DOCS'] === '1') await writeFile(PAGE, page);
    assert.ok(
      (await readFile(PAGE, 'utf8').catch(() => '')) === page,
      'docs/remedies.md differs from the files; run: FETTLE_WRITE_DOCS=1 node --test test/remedies.test.ts',
    );
  });

  for (const name of SHIPPED) {
    it(`${name} loads without a word, and without a Prometheus`, async () => {
      const needsInventory = WITH_INVENTORY.includes(name);
      const { config, problems } = await loadWorkflows([file(name)], {
        ...KNOWN,
        sources: [],
        notify: [],
        hasInventory: needsInventory,
      });
      assert.deepEqual(problems.map(formatProblem), []);
      assert.equal(config?.length, 1);
    });

    it(`${name} has limits, a proof, and a breaker that a person lifts`, async () => {
      const [loaded] = configOf(await loadWorkflows([file(name)], { ...KNOWN, hasInventory: true }));
      const kinds = loaded?.definition.constraints.map(({ kind }) => kind) ?? [];
      assert.ok(kinds.includes('maxExecution'), kinds.join(' '));
      assert.ok(kinds.includes('maxIneffective') || name === 'collect-diagnostics', kinds.join(' '));
      assert.ok(loaded?.definition.verify !== null || TYPESCRIPT_WORKFLOWS.includes(name));
      assert.match(loaded?.definition.description ?? '', /^[A-Z].{20,100}[^.]$/);
    });

    it(`${name} goes through with arguments that agents take, and is rehearsed`, async () => {
      const [loaded] = configOf(await loadWorkflows([file(name)], { ...KNOWN, hasInventory: true }));
      const needed = loaded?.definition.inputs.filter(({ required }) => required).map((input) => input.name) ?? [];
      const args = needed.flatMap((input) => ['--arg', `${input}=${EXAMPLE_ARGUMENTS[input]}`]);
      const facts = name === 'restart-if-down' ? ['--fact', 'check-1.active_state=active'] : [];
      for (const more of [facts, ['--dry-run']]) {
        const io = testIo();
        assert.equal(await runCommandLine(['test', file(name), ...args, ...more], io), 0, io.out() + io.err());
      }
    });
  }

  it('have files for hosts that load', async () => {
    const { problems, files } = await validateFiles([path.join(REMEDIES, 'hosts')], { known: KNOWN });
    assert.deepEqual(problems.map(formatProblem), []);
    assert.deepEqual(new Set(files.map(({ kind }) => kind)), new Set(['agent', 'commands']));
  });

  it('have a file for each workflow written in TypeScript', () => {
    const names: readonly string[] = SHIPPED;
    for (const name of TYPESCRIPT_WORKFLOWS) assert.ok(names.includes(name), name);
  });
});
