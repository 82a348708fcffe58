import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ProgramCommand } from '../../config/commands.ts';
import { withoutSecrets } from '../secrets.ts';
import { type ActionHost, CLEAN_ENVIRONMENT, endOf, factsOnly, type PreparedAction } from './action.ts';
import { failed } from './ending.ts';
import { fillArgv, type Inputs, limitsOf, refuse } from './exec-inputs.ts';
import { readSecrets } from './exec-secrets.ts';

const execFileAsync = promisify(execFile);

/** A program of this host, as the user that its definition names, with that user's groups. */
export function programCommand(definition: ProgramCommand, inputs: Inputs, host: ActionHost): PreparedAction {
  const argv = fillArgv(definition, inputs);
  const user = definition.user ?? null;
  const facts = { command: definition.name, ...(user === null ? {} : { user }) };
  const start = async () => ({
    secrets: await readSecrets(definition, host.secretsDir),
    as: user === null ? OURSELVES : await asUser(user, host),
  });
  return {
    admit: async () => void (await start()),
    async rehearse({ secrets }) {
      const shown = JSON.stringify(argv.map((argument) => withoutSecrets(argument, secrets)));
      const who = user === null ? '' : ` as ${user}`;
      return factsOnly(facts, `would run ${shown} in ${definition.workingDirectory}${who}`);
    },
    async run(run) {
      const ready = await start().catch((error: unknown) => error as Error);
      if (ready instanceof Error) return failed('spawn', ready.message, factsOnly(facts));
      const { secrets, as } = ready;
      const end = await run.run({
        argv: [...as.argv, ...argv],
        environment: { ...CLEAN_ENVIRONMENT, ...as.environment, ...definition.environment, ...secrets },
        workingDirectory: definition.workingDirectory,
        timeoutMs: definition.timeoutMs,
        secrets: Object.values(secrets),
      });
      const program = end.how === 'spawn' ? (as.argv[0] ?? argv[0]!) : argv[0]!;
      return endOf(end, program, Math.min(run.timeoutMs, definition.timeoutMs), facts);
    },
    worksOn: async () => false,
    limits: limitsOf(definition),
  };
}

type As = { readonly argv: readonly string[]; readonly environment: Readonly<Record<string, string>> };
const OURSELVES: As = { argv: [], environment: {} };

/** @throws RefusalError when this host has no such user, or this process may not become it */
async function asUser(user: string, host: ActionHost): Promise<As> {
  const entry = await passwdEntry(user, host);
  const environment = { HOME: entry.home, USER: user, LOGNAME: user };
  const own = process.getuid?.();
  if (own === entry.uid) return { argv: [], environment };
  if (own !== 0) throw refuse(`the command runs as ${user}, and this agent is not root`);
  const argv = [host.setpriv, `--reuid=${entry.uid}`, `--regid=${entry.gid}`, '--init-groups', '--'];
  return { argv, environment };
}

async function passwdEntry(user: string, host: ActionHost): Promise<{ uid: number; gid: number; home: string }> {
  const found = await execFileAsync(host.getent, ['passwd', '--', user], {
    env: CLEAN_ENVIRONMENT,
    timeout: 10_000,
  }).catch(() => ({ stdout: '' }));
  const [name, , uid = '', gid = '', , home = '/'] = found.stdout.trim().split(':');
  if (name !== user || !/^\d+$/.test(uid) || !/^\d+$/.test(gid)) throw refuse(`this host has no user ${user}`);
  return { uid: Number(uid), gid: Number(gid), home };
}
