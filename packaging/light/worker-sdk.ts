/**
 * Temporal's SDK as an agent needs it: Workers that run activities over the native connection. Workflows, replays and the other
 * client, which speaks gRPC in JavaScript, stay out, and what is in is loaded as it is first used.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Plugin } from 'esbuild';
import { lightProtocol } from './light-protocol.ts';

const packaged = createRequire(import.meta.url);
const ABSENT =
  /\/@temporalio\/worker\/lib\/(?:replay|debug-replayer|workflow\/(?:bundler|vm|reusable-vm|threaded-vm))\.js$/;
const SDK = /\/@temporalio\/(?:worker|client|common|activity|workflow)\/lib\/.*\.js$/;
const CLIENT_CONNECTION = /\/@temporalio\/client\/lib\/connection\.js$/;
const CORE_LOGS = /\/@temporalio\/worker\/lib\/runtime-logger\.js$/;
const DESCRIPTORS = /\/@temporalio\/proto\/protos\/json-module\.js$/;

export const activityWorkerOnly: Plugin = {
  name: 'activity-worker-only',
  setup(builder) {
    builder.onLoad({ filter: ABSENT }, () => ({ contents: ABSENT_MODULE }));
    builder.onLoad({ filter: CLIENT_CONNECTION }, () => ({ contents: NO_CONNECTION }));
    builder.onLoad({ filter: DESCRIPTORS }, ({ path: file }) => ({
      contents: `module.exports = require('protobufjs/light').Root.fromJSON(JSON.parse(${JSON.stringify(lightProtocol(file))}));`,
      resolveDir: path.dirname(file),
    }));
    builder.onLoad({ filter: CORE_LOGS }, async ({ path: file }) => ({
      contents: rarelyFlushed(requiredAsUsed(await readFile(file, 'utf8'))),
    }));
    builder.onLoad({ filter: SDK }, async ({ path: file }) => ({
      contents: requiredAsUsed(await readFile(file, 'utf8')),
    }));
    builder.onResolve({ filter: /^@grpc\/grpc-js$/ }, () => ({ path: 'grpc', namespace: 'grpc-codes' }));
    builder.onLoad({ filter: /.*/, namespace: 'grpc-codes' }, () => ({
      contents: `exports.status = require(${JSON.stringify(grpcConstants())}).Status;`,
      resolveDir: import.meta.dirname,
    }));
  },
};

/** What others name as their modules load; an agent calls none of it. */
const ABSENT_MODULE = `
  exports.EvictionReason = {};
  exports.defaultWorkflowInterceptorModules = [];
  exports.bundleWorkflowCode = () => { throw new Error('agents run no workflows'); };`;

const NO_CONNECTION = `exports.InternalConnectionOptionsSymbol = Symbol('no connection of this kind');`;

/** Only the numbers of gRPC's answers are asked for. */
function grpcConstants(): string {
  const client = createRequire(packaged.resolve('@temporalio/client'));
  return path.join(path.dirname(client.resolve('@grpc/grpc-js')), 'constants.js');
}

/**
 * The SDK looks ten times a second whether a line of its log is old enough to be told. That was two thirds of what an idle agent did; its
 * own lines do not pass there.
 */
function rarelyFlushed(source: string): string {
  const often = 'flushPassIntervalMs = 100;';
  if (!source.includes(often)) throw new Error(`the SDK's log has no "${often}" any more: see what it does instead`);
  return source.replace(often, 'flushPassIntervalMs = 5_000;');
}

/**
 * `const x_1 = require("./x"); ... x_1.y` becomes `... (require("./x")).y`: half of the SDK is then never run. Only what TypeScript
 * wrote in this very form is changed.
 */
export function requiredAsUsed(source: string): string {
  const modules = new Map<string, string>();
  const without = source.replaceAll(
    /^const (\w+_\d+) = require\(("[^"\n]+")\);$/gm,
    (_, name: string, module: string) => {
      modules.set(name, module);
      return '';
    },
  );
  return without.replaceAll(/(?<![\w.$])(\w+_\d+)\b(?!\s*:)/g, (name) => {
    const module = modules.get(name);
    return module === undefined ? name : `(require(${module}))`;
  });
}
