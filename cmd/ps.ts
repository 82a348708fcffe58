import type { ApiExecution, ApiPendingRequest } from '../workflows/api.ts';
import { connectCoordinator } from './connect-coordinator.ts';
import { type CoordinatorApi, MAX_EXECUTIONS } from './coordinator-api.ts';
import { executionColumns } from './execution-text.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import type { ClientFlags, OutputOption } from './fettle-command.ts';
import { type Io, note, say } from './io.ts';
import { printDocument, printList } from './list-output.ts';
import { printable, printableJson } from './printable.ts';
import { pendingColumns } from './standing-text.ts';
import { parseDurationText, parseTime } from './time-text.ts';

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
  print(io, flags, rows, await waiting(io, coordinator.api, flags));
  return EXIT.ok;
}

/** What waits, as far as this caller may see it: what runs is shown all the same. */
async function waiting(io: Io, api: CoordinatorApi, flags: PsFlags): Promise<ApiPendingRequest[]> {
  try {
    return (await api.pending()).filter(
      (one) =>
        (flags.workflow === undefined || one.workflow === flags.workflow) &&
        (flags.node === undefined || one.target === flags.node),
    );
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const unknownRoute = error.exit === EXIT.failed;
    if (!unknownRoute) note(io, `fettle: what waits is not shown: ${printable(error.message)}; try: ${error.next}`);
    return [];
  }
}

function print(io: Io, flags: PsFlags, rows: readonly ApiExecution[], pending: readonly ApiPendingRequest[]): void {
  const now = io.now();
  if (flags.output === 'json') return printDocument(io, { executions: rows, pending });
  if (flags.output === 'jsonl') {
    for (const row of [...rows, ...pending.map((one) => ({ ...one, state: 'pending' }))])
      say(io, printableJson(row, 0));
    return;
  }
  const empty = flags.all === true ? 'No executions.' : 'Nothing is running. Those that have ended: fettle ps --all';
  const format = flags.output;
  if (rows.length > 0 || pending.length === 0)
    printList(io, { format, name: 'executions', rows, columns: executionColumns(now), empty });
  if (pending.length === 0) return;
  if (rows.length > 0) say(io, '');
  printList(io, { format, name: 'pending', rows: pending, columns: pendingColumns(now), empty: '' });
}

/** @throws CommandError when it is neither a duration nor a time with a zone. */
export function parseSince(text: string, now: number): string {
  const ago = parseDurationText(text);
  const at = ago !== null ? now - ago : parseTime(text);
  if (at !== null && Math.abs(at) < 8.64e15) return new Date(at).toISOString();
  throw new CommandError(
    EXIT.usage,
    `--since ${JSON.stringify(text)} is neither a duration such as 2h nor a time such as 2026-11-21T10:00:00Z`,
    'fettle ps --all --since 2h',
  );
}
