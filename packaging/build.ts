/** `npm run build`: the program as a folder that runs under Node 24 with nothing beside it: no node_modules, no compiler. */
import { build, type BuildOptions, type Plugin } from 'esbuild';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { buildWorkflowBundle, PREBUILT_WORKFLOW_BUNDLE } from '../coordinator/workflow-bundle.ts';
import description from '../package.json' with { type: 'json' };
import { onlyModules } from './light/only-modules.ts';
import { LIGHT_PARTS, type LightPart } from './light/parts.ts';
import { activityWorkerOnly } from './light/worker-sdk.ts';
import { writeCodeCache } from './light/code-cache.ts';
import { launcher } from './light/launcher.ts';

const run = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, '..');
/** Of the package that a file belongs to. */
const packaged = createRequire(import.meta.url);

/**
 * `@temporalio/worker` loads webpack at start although a package never compiles workflows. Without its bundler nothing needs
 * webpack, swc and their native parts.
 */
const withoutWorkflowCompiler: Plugin = {
  name: 'without-workflow-compiler',
  setup(builder) {
    builder.onResolve({ filter: /^\.{1,2}\/(?:workflow\/)?bundler$/ }, ({ importer }) =>
      importer.includes('@temporalio/worker/lib') ? { path: 'bundler', namespace: 'absent' } : undefined,
    );
    builder.onLoad({ filter: /.*/, namespace: 'absent' }, () => ({
      contents: `
        exports.WorkflowCodeBundler = class { constructor() { absent(); } };
        exports.bundleWorkflowCode = absent;
        exports.defaultWorkflowInterceptorModules = [];
        function absent() { throw new Error('this package runs prebuilt workflows only'); }`,
    }));
  },
};

const COMMON: BuildOptions = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  target: 'node24',
  minify: true,
  // Class names reach people: in errors, metrics and Temporal's failure types.
  keepNames: true,
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'linked',
  plugins: [withoutWorkflowCompiler],
  logLevel: 'error',
  // Resolved at run time, beside the program, as copied below.
  logOverride: { 'require-resolve-not-external': 'silent' },
};

/** CommonJS packages inside an ES module expect these three. */
const COMMONJS_NAMES = `
import { createRequire as fettleCreateRequire } from 'node:module';
const require = fettleCreateRequire(import.meta.url);
const __filename = import.meta.filename;
const __dirname = import.meta.dirname;`.trim();

/** Builds into `out`, replacing it whole. @throws when any part does not compile; `out` is then as it was */
export async function buildPackage(out: string): Promise<void> {
  const partial = `${out}.partial-${process.pid}`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  try {
    const parts = [
      bundleProgram(partial),
      bundleWorkflowThread(partial),
      ...LIGHT_PARTS.map((part) => bundleLightPart(partial, part)),
      bundleStart(partial),
      writeLauncher(partial),
      writeWorkflows(partial),
      copyBinaries(partial),
    ];
    // All have ended before what they wrote is removed.
    const failed = (await Promise.allSettled(parts)).find((part) => part.status === 'rejected');
    if (failed) throw failed.reason;
    await stripBridge(partial);
    for (const { name } of LIGHT_PARTS) await writeCodeCache(partial, name);
    await rm(out, { recursive: true, force: true });
    await rename(partial, out);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

const bundleProgram = (out: string): Promise<unknown> =>
  build({
    ...COMMON,
    entryPoints: ['cmd/main.ts'],
    outfile: path.join(out, 'fettle.mjs'),
    format: 'esm',
    banner: { js: `#!/usr/bin/env node\n${COMMONJS_NAMES}` },
  });

/** The thread that runs workflow code; the SDK looks for it by this name, beside the program. */
const bundleWorkflowThread = (out: string): Promise<unknown> =>
  build({
    ...COMMON,
    entryPoints: [packaged.resolve('@temporalio/worker/lib/workflow/workflow-worker-thread.js')],
    outfile: path.join(out, 'workflow-worker-thread.js'),
    format: 'cjs',
  });

const bundleLightPart = (out: string, { name, entry, modules }: LightPart): Promise<unknown> =>
  build({
    ...COMMON,
    entryPoints: [entry],
    outfile: path.join(out, `${name}.js`),
    format: 'cjs',
    define: { 'import.meta.url': 'fettleUrl', 'import.meta.resolve': 'fettleResolve' },
    banner: { js: COMMONJS_URL },
    // Its other form imports Node's modules as it runs, for which code compiled by `vm` has no loader.
    alias: { 'web-tree-sitter': packaged.resolve('web-tree-sitter') },
    plugins: [onlyModules(modules), activityWorkerOnly],
  });

const bundleStart = (out: string): Promise<unknown> =>
  build({ ...COMMON, entryPoints: ['packaging/start.ts'], outfile: path.join(out, 'start.js'), format: 'cjs' });

/** ES modules know where they are; these files are none. */
const COMMONJS_URL = `
const fettleUrl = require('node:url').pathToFileURL(__filename).href;
const fettleResolve = (name) => require('node:url').pathToFileURL(require.resolve(name)).href;`.trim();

const writeLauncher = (out: string): Promise<void> => writeFile(path.join(out, 'fettle'), launcher(), { mode: 0o755 });

async function writeWorkflows(out: string): Promise<void> {
  await writeFile(path.join(out, PREBUILT_WORKFLOW_BUNDLE), await buildWorkflowBundle());
  // Else the thread's file would be read as the kind of module that some folder above says.
  const { name, version, license } = description;
  await writeFile(
    path.join(out, 'package.json'),
    `${JSON.stringify({ name, version, license, type: 'commonjs' }, null, 2)}\n`,
  );
}

/** What cannot be bundled: WebAssembly, and Temporal's native core for this processor. */
async function copyBinaries(out: string): Promise<void> {
  const worker = createRequire(packaged.resolve('@temporalio/worker'));
  const target = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-unknown-linux-gnu`;
  const core = path.dirname(worker.resolve('@temporalio/core-bridge/package.json'));
  const bridge = path.join('releases', target, 'index.node');
  await mkdir(path.join(out, path.dirname(bridge)), { recursive: true });
  await Promise.all([
    copyFile(path.join(core, bridge), path.join(out, bridge)),
    copyFile(packaged.resolve('web-tree-sitter/web-tree-sitter.wasm'), path.join(out, 'web-tree-sitter.wasm')),
    copyFile(
      packaged.resolve('@tree-sitter-grammars/tree-sitter-hcl/tree-sitter-hcl.wasm'),
      path.join(out, 'tree-sitter-hcl.wasm'),
    ),
    copyFile(worker.resolve('source-map/lib/mappings.wasm'), path.join(out, 'mappings.wasm')),
  ]);
}

/** Temporal's core comes with the names of its functions: a fifth of its size, of use to a debugger only. */
async function stripBridge(out: string): Promise<void> {
  const bridges = (await readdir(out, { recursive: true })).filter((file) => path.extname(file) === '.node');
  try {
    for (const bridge of bridges) await run('strip', ['--strip-unneeded', path.join(out, bridge)]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    process.stderr.write(
      'there is no strip (Debian: binutils): the package is 6 MB larger and each agent takes 1.5 MB more memory\n',
    );
  }
}

async function printSizes(out: string): Promise<void> {
  for (const file of (await readdir(out, { recursive: true })).toSorted()) {
    const { size } = await stat(path.join(out, file));
    if (path.extname(file) !== '') process.stdout.write(`${(size / 1e6).toFixed(2).padStart(8)} MB  dist/${file}\n`);
  }
}

if (import.meta.main) {
  const dist = path.join(ROOT, 'dist');
  await buildPackage(dist);
  await printSizes(dist);
}
