/** The agent that Debian's users know best, as a peer: it waits for a certificate and does nothing. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { startProcess, temporaryDirectory, type RunningProcess } from '../test/support/processes.ts';

const PUPPET = '/usr/bin/puppet';

/** Null where it is not installed (Debian: puppet-agent). */
export async function startPuppet(stack: AsyncDisposableStack): Promise<RunningProcess | null> {
  if (!existsSync(PUPPET)) return null;
  const { path: dir } = stack.use(await temporaryDirectory('fettle-puppet-'));
  const folders = ['confdir', 'vardir', 'rundir', 'logdir'].map((name) => `--${name}=${path.join(dir, name)}`);
  const argv = [PUPPET, 'agent', '--no-daemonize', '--server=localhost', '--waitforcert=3600', ...folders];
  return stack.use(startProcess(argv, { name: 'puppet agent' }));
}
