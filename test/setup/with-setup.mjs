/**
 * `node test/setup/with-setup.mjs [--hosts] SCRIPT ARGS...`: does what set-up has left to do (`--hosts`: also what boots hosts),
 * then runs SCRIPT with the checkout's Node 24, with its tools first on the PATH. Standard output, signals and the exit code are the script's.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import path from 'node:path';
import { NODE_BIN, pathWithTools, ROOT } from './places.mjs';
import { setUp } from './setup.mjs';

const hosts = process.argv[2] === '--hosts';
const [script, ...args] = process.argv.slice(hosts ? 3 : 2);
if (!script) throw new Error('usage: with-setup.mjs [--hosts] SCRIPT ARGS...');

const code = await setUp(hosts);
if (code === 0) runScript(path.resolve(ROOT, script), args);
else process.exitCode = code;

/** @param {string} file @param {string[]} scriptArgs */
function runScript(file, scriptArgs) {
  const child = spawn(path.join(NODE_BIN, 'node'), [file, ...scriptArgs], {
    stdio: 'inherit',
    env: { ...process.env, PATH: pathWithTools() },
  });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'])) {
    process.on(signal, () => {
      // A terminal sends its Ctrl-C to both of us; once is enough.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('close', (exitCode, signal) => {
    process.exitCode = signal ? 128 + constants.signals[signal] : (exitCode ?? 1);
  });
}
