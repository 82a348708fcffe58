import { type ActionHost, type ActionRun, CLEAN_ENVIRONMENT } from './action.ts';

const LINES = 25;
const TIMEOUT_MS = 5000;

/** What a unit, and systemd about it, wrote since then: the reason of a failed start more often than not. Empty when there is none. */
export async function lastLines(host: ActionHost, run: ActionRun, unit: string, since: number): Promise<string> {
  const argv = [
    host.journalctl,
    '--no-pager',
    '--quiet',
    '--output=short-iso',
    `--lines=${LINES}`,
    `--since=@${Math.floor(since / 1000)}`,
    `--unit=${unit}`,
  ];
  const line = { argv, environment: CLEAN_ENVIRONMENT, workingDirectory: '/', timeoutMs: TIMEOUT_MS };
  const end = await run.run(line);
  return end.how === 'exit' && end.exitCode === 0 ? end.output.tail : '';
}
