import type { ApiResumed } from '../workflows/api.ts';
import { connectCoordinator } from './connect-coordinator.ts';
import type { CoordinatorApi } from './coordinator-api.ts';
import { CommandError, EXIT, type ExitCode, gravest } from './exit-code.ts';
import type { ClientFlags, OutputOption } from './fettle-command.ts';
import { type Io, note } from './io.ts';
import { printList } from './list-output.ts';
import { printable } from './printable.ts';
import { breakerText, pauseText } from './standing-text.ts';

export type ResumeFlags = ClientFlags & OutputOption & { readonly reason: string; readonly all?: true };

/** `fettle resume ID --reason TEXT`, or `--all` pauses. Breakers are closed one by one: each says that something does not help. */
export async function resume(io: Io, id: string | undefined, flags: ResumeFlags): Promise<ExitCode> {
  await using coordinator = await connectCoordinator(io, flags);
  const { api } = coordinator;
  if (id !== undefined && flags.all === true) throw usage('an id and --all exclude one another; write one of them');
  if (id === undefined && flags.all !== true) throw await sayWhich(io, api);
  const ids = id === undefined ? (await api.status()).gate.pauses.map((pause) => pause.id) : [id];
  const rows: ApiResumed[] = [];
  const codes: ExitCode[] = [];
  for (const one of ids) {
    try {
      rows.push(await api.resume({ id: one, reason: flags.reason }));
    } catch (error) {
      if (ids.length === 1 || !(error instanceof CommandError)) throw error;
      note(io, `fettle: ${printable(`${one}: ${error.message}`)}; try: ${error.next}`);
      codes.push(error.exit);
    }
  }
  printList(io, { format: flags.output, name: 'resumed', rows, columns, empty: 'Nothing is paused.' });
  return gravest(codes);
}

const columns = [
  { header: 'LIFTED', value: (row: ApiResumed) => row.id, cut: 0 },
  { header: 'WHAT', value: (row: ApiResumed) => row.what, cut: 1 },
];

async function sayWhich(io: Io, api: CoordinatorApi): Promise<CommandError> {
  const { pauses, breakers } = (await api.status()).gate;
  const standing = [
    ...pauses.map((pause) => `  ${pause.id}  ${pauseText(pause, io.now())}`),
    ...breakers.map((breaker) => `  ${breaker.id}  ${breakerText(breaker, io.now())}`),
  ];
  for (const line of standing) note(io, printable(line));
  return usage(standing.length === 0 ? 'nothing is paused' : 'say what to lift: one of these ids, or --all pauses');
}

const usage = (message: string): CommandError => new CommandError(EXIT.usage, message, 'fettle resume --help');
