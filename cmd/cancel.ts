import type { ApiExecution, ApiPendingDetail } from '../workflows/api.ts';
import { connectCoordinator } from './connect-coordinator.ts';
import { type CoordinatorApi, MAX_EXECUTIONS } from './coordinator-api.ts';
import { executionColumns } from './execution-text.ts';
import { CommandError, EXIT, type ExitCode, gravest } from './exit-code.ts';
import type { ClientFlags, OutputOption } from './fettle-command.ts';
import { type Io, note, say } from './io.ts';
import { printDocument, printList } from './list-output.ts';
import { isPending, pendingLines } from './pending-text.ts';
import { printable, printableJson } from './printable.ts';

export type CancelFlags = ClientFlags & OutputOption & { all?: string; reason?: string };

/** `fettle cancel ID` or `fettle cancel --all WORKFLOW --reason TEXT` */
export async function cancelExecutions(io: Io, id: string | undefined, flags: CancelFlags): Promise<ExitCode> {
  checkFlags(id, flags);
  const reason = flags.reason ?? 'cancelled by hand';
  await using coordinator = await connectCoordinator(io, flags);
  const { api } = coordinator;
  if (id !== undefined && isPending(id)) return printEnded(io, await api.cancelPending(id, reason), flags);
  const ids = id === undefined ? await runningOf(api, flags.all ?? '') : [id];
  const rows: ApiExecution[] = [];
  const codes: ExitCode[] = [];
  for (const one of ids) {
    try {
      rows.push(await api.cancel(one, reason));
    } catch (error) {
      if (ids.length === 1 || io.signal.aborted || !(error instanceof CommandError)) throw error;
      note(io, `fettle: ${printable(one)}: ${printable(error.message)}; try: ${error.next}`);
      codes.push(error.exit);
    }
  }
  const empty = ids.length === 0 ? `Nothing of ${flags.all} is running.` : 'Nothing was cancelled.';
  printList(io, { format: flags.output, name: 'executions', rows, columns: executionColumns(io.now()), empty });
  if (flags.output === 'table' && rows.length > 0)
    note(io, `Asked to end; how it ends: fettle watch ${printable(rows[0]?.id ?? 'ID')}`);
  return gravest(codes);
}

function printEnded(io: Io, detail: ApiPendingDetail, { output }: OutputOption): ExitCode {
  if (output === 'json') printDocument(io, { pending: detail });
  else if (output === 'jsonl') say(io, printableJson(detail, 0));
  else for (const line of pendingLines(io, detail)) say(io, line);
  return EXIT.ok;
}

function checkFlags(id: string | undefined, flags: CancelFlags): void {
  const wrong = (message: string): never => {
    throw new CommandError(EXIT.usage, message, 'fettle cancel --help');
  };
  if (id === undefined && flags.all === undefined)
    wrong('say what to cancel: an id, or --all and the name of a workflow');
  if (id !== undefined && flags.all !== undefined) wrong('an id and --all exclude one another; write one of them');
  if (flags.all !== undefined && (flags.reason ?? '').trim() === '')
    wrong('--all needs --reason "why", for the record');
}

async function runningOf(api: CoordinatorApi, workflow: string): Promise<string[]> {
  const known = await api.workflows();
  if (!known.some((one) => one.name === workflow)) {
    throw new CommandError(EXIT.failed, `there is no workflow ${JSON.stringify(workflow)}`, 'fettle workflows');
  }
  const found = await api.executions({ workflow, limit: MAX_EXECUTIONS });
  return found.filter((execution) => execution.state === 'running').map((execution) => execution.id);
}
