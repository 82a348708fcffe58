import { connectCoordinator } from './connect-coordinator.ts';
import { MAX_EXECUTIONS } from './coordinator-api.ts';
import { executionColumns } from './execution-text.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import type { ClientFlags, OutputOption } from './fettle-command.ts';
import { type Io, note } from './io.ts';
import { printList } from './list-output.ts';
import { parseDurationText } from './time-text.ts';

export type PsFlags = ClientFlags & OutputOption & { all?: true; node?: string; workflow?: string; since?: string };

/** `fettle ps` */
export async function listExecutions(io: Io, flags: PsFlags): Promise<ExitCode> {
  const since = flags.since === undefined ? undefined : parseSince(flags.since, io.now());
  await using coordinator = await connectCoordinator(io, flags);
  const found = await coordinator.api.executions({
    workflow: flags.workflow,
    node: flags.node,
    since,
    limit: MAX_EXECUTIONS,
  });
  const rows = flags.all === true ? found : found.filter((execution) => execution.state === 'running');
  if (found.length === MAX_EXECUTIONS) {
    note(
      io,
      `Only the newest ${MAX_EXECUTIONS} executions were looked at; narrow it with --since, --node or --workflow.`,
    );
  }
  const columns = executionColumns(io.now());
  const empty = flags.all === true ? 'No executions.' : 'Nothing is running. Those that have ended: fettle ps --all';
  printList(io, { format: flags.output, name: 'executions', rows, columns, empty });
  return EXIT.ok;
}

/** @throws CommandError when it is neither a duration nor a time with a zone. */
export function parseSince(text: string, now: number): string {
  const ago = parseDurationText(text);
  const zoned = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})$/.test(text);
  const at = ago !== null ? now - ago : zoned ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(at) && Math.abs(at) < 8.64e15) return new Date(at).toISOString();
  throw new CommandError(
    EXIT.usage,
    `--since ${JSON.stringify(text)} is neither a duration such as 2h nor a time such as 2026-11-21T10:00:00Z`,
    'fettle ps --all --since 2h',
  );
}
