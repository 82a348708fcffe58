/**
 * The code that Temporal runs as workflows, in one file. A package carries it prebuilt beside the program; a checkout builds it
 * when it first needs it and keeps it for as long as `workflows/` and the SDK stay the same.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { glob, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** What a Worker takes as `workflowBundle`. */
export type WorkflowBundle = { readonly codePath: string };

/** Beside the program in a package; packaging/build.ts writes it there. */
export const PREBUILT_WORKFLOW_BUNDLE = 'workflow-bundle.js';

/**
 * The bundle of all workflows. In a checkout the first call after a change takes some 2 seconds and 200 MB.
 * @throws when a workflow does not compile or imports what a workflow may not.
 */
export async function loadWorkflowBundle(): Promise<WorkflowBundle> {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const prebuilt = path.join(here, PREBUILT_WORKFLOW_BUNDLE);
  if (existsSync(prebuilt)) return { codePath: prebuilt };
  const root = path.dirname(here);
  const codePath = path.join(root, '.tools', `workflow-bundle-${await sourcesDigest(root)}.js`);
  if (!existsSync(codePath)) {
    await writeAtomically(codePath, await buildWorkflowBundle());
    await removeOldBundles(path.dirname(codePath));
  }
  return { codePath };
}

/** Compiles `workflows/all.ts` of this checkout. The SDK's bundler is loaded only now: packages do without it. */
export async function buildWorkflowBundle(): Promise<string> {
  const { bundleWorkflowCode } = await import('@temporalio/worker');
  const warnings: string[] = [];
  const keep = (message: string): void => void warnings.push(message);
  const workflowsPath = fileURLToPath(new URL('../workflows/all.ts', import.meta.url));
  try {
    const { code } = await bundleWorkflowCode({
      workflowsPath,
      logger: { log: quiet, trace: quiet, debug: quiet, info: quiet, warn: keep, error: keep },
    });
    return withRelativeSources(code);
  } catch (cause) {
    throw new Error(`the workflows do not bundle:\n${warnings.join('\n')}\n${String(cause)}`, { cause });
  }
}

/** Stack traces then name `workflows/runbook.ts`, and the same sources give the same bundle wherever they lie. */
function withRelativeSources(code: string): string {
  const root = fileURLToPath(new URL('..', import.meta.url));
  return code.replace(/(\/\/# sourceMappingURL=data:[^,]*;base64,)([\w+/=]+)/, (_, head: string, base64: string) => {
    const map = Buffer.from(base64, 'base64').toString('utf8').replaceAll(root, '');
    return head + Buffer.from(map).toString('base64');
  });
}

const quiet = (): void => {};

/** What a bundle depends on: every source under workflows/, and the SDK that compiles and runs it. */
async function sourcesDigest(root: string): Promise<string> {
  const digest = createHash('sha256');
  const sdk: { version: string } = JSON.parse(
    await readFile(path.join(root, 'node_modules/@temporalio/worker/package.json'), 'utf8'),
  );
  digest.update(`${sdk.version} sources from the checkout on`);
  const files = await Array.fromAsync(glob('workflows/**/*.ts', { cwd: root }));
  for (const file of files.filter((name) => !name.endsWith('.test.ts')).toSorted()) {
    digest.update(`\0${file}\0`).update(await readFile(path.join(root, file)));
  }
  return digest.digest('hex').slice(0, 16);
}

/** Bundles of yesterday's sources: nothing that runs now reads them any more. */
async function removeOldBundles(directory: string): Promise<void> {
  for await (const file of glob('workflow-bundle-*', { cwd: directory })) {
    const place = path.join(directory, file);
    const { mtimeMs } = await stat(place);
    if (Date.now() - mtimeMs > 86_400_000) await rm(place, { force: true });
  }
}

/** Several processes may build at once: each writes its own file, and the last rename wins with equal content. */
async function writeAtomically(file: string, content: string): Promise<void> {
  const partial = `${file}.${process.pid}`;
  await mkdir(path.dirname(file), { recursive: true });
  try {
    await writeFile(partial, content);
    await rename(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
}
