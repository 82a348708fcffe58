import type { ApiPendingDetail } from '../workflows/api.ts';
import { connectCoordinator } from './connect-coordinator.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import type { ClientFlags, OutputOption } from './fettle-command.ts';
import { type Io, note, say } from './io.ts';
import { printDocument } from './list-output.ts';
import { pendingFacts } from './pending-text.ts';
import { printable, printableJson } from './printable.ts';

export type ApproveFlags = ClientFlags &
  OutputOption & { readonly reason?: string; readonly breakGlass?: true; readonly plan?: string };
export type DenyFlags = ClientFlags & OutputOption & { readonly reason: string };

/** `fettle approve ID`: shows what it approves, and names the plan that it showed, so that nobody says yes to another one. */
export async function approve(io: Io, id: string, flags: ApproveFlags): Promise<ExitCode> {
  const pending = pendingName(id);
  if (flags.breakGlass === true && (flags.reason ?? '').trim() === '')
    throw new CommandError(
      EXIT.usage,
      '--break-glass needs --reason "why": it goes loudly on record',
      'fettle approve --help',
    );
  await using coordinator = await connectCoordinator(io, flags);
  const detail = await coordinator.api.pendingRequest(pending);
  const plan = planOf(detail, flags.plan);
  const table = flags.output === 'table' || flags.output === 'wide';
  if (table) for (const line of pendingFacts(io, detail)) say(io, line);
  const approved = await coordinator.api.approve(pending, {
    plan,
    ...(flags.reason === undefined ? {} : { reason: flags.reason }),
    ...(flags.breakGlass === true ? { break_glass: true } : {}),
  });
  if (!table) return printAnswer(io, flags, 'approved', approved);
  say(io, `approved  ${printable(approved.message)}`);
  if (approved.execution !== null) note(io, `Follow it: fettle watch ${printable(approved.execution)}`);
  return EXIT.ok;
}

export async function deny(io: Io, id: string, flags: DenyFlags): Promise<ExitCode> {
  await using coordinator = await connectCoordinator(io, flags);
  const denied = await coordinator.api.deny(pendingName(id), flags.reason);
  if (flags.output !== 'table' && flags.output !== 'wide') return printAnswer(io, flags, 'denied', denied);
  say(io, `denied  ${printable(denied.pending)}: ${printable(denied.message)}`);
  return EXIT.ok;
}

function printAnswer(io: Io, { output }: OutputOption, name: string, value: unknown): ExitCode {
  if (output === 'json') printDocument(io, { [name]: value });
  else say(io, printableJson(value, 0));
  return EXIT.ok;
}

/** People may leave the prefix out. */
export const pendingName = (id: string): string => (id.startsWith('pending:') ? id : `pending:${id}`);

function planOf({ pending, request, outcome, message }: ApiPendingDetail, seen: string | undefined): string {
  if (request === null) {
    const why = outcome === null ? message : `${outcome}: ${message}`;
    throw new CommandError(EXIT.refused, `${pending} waits no more (${why})`, 'fettle ps');
  }
  if (seen === undefined || seen === request.plan) return request.plan;
  throw new CommandError(
    EXIT.refused,
    `${pending} waits with plan ${request.plan}, not with ${seen}`,
    `fettle show ${pending}`,
  );
}
