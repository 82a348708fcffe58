/** `npm run test:server`: what only a real Temporal server with its authorizer can show. Builds the server when it is not there yet. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { buildServer } from './build-server.ts';

await buildServer((line) => process.stdout.write(`${line}\n`));
const file = path.join(import.meta.dirname, 'authorizer.ts');
const child = spawn(process.execPath, ['--test', '--test-timeout=900000', '--test-reporter=spec', file], {
  stdio: 'inherit',
});
child.on('close', (code) => {
  process.exitCode = code ?? 1;
});
