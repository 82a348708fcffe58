import { styleText } from 'node:util';
import type { ApiEvent, ApiExecution, ApiExecutionDetail } from '../workflows/api.ts';
import { connectCoordinator } from './connect-coordinator.ts';
import { eventLine, outcomeExit, outcomeStyle, ranFor, stateText } from './execution-text.ts';
import type { ExitCode } from './exit-code.ts';
import type { ClientFlags, OutputOption } from './fettle-command.ts';
import { follow } from './follow.ts';
import { type Io, note, say, wantsColour } from './io.ts';
import { printDocument } from './list-output.ts';
import { printable, printableJson } from './printable.ts';

/** `fettle watch ID` */
export async function watchExecution(io: Io, id: string, flags: ClientFlags & OutputOption): Promise<ExitCode> {
  await using coordinator = await connectCoordinator(io, flags);
  const execution = await follow(io, coordinator.api, id, { timeoutMs: null, onEvent: eventPrinter(io, flags) });
  if (flags.output === 'json') printDocument(io, { execution });
  else if (flags.output === 'jsonl') say(io, printableJson({ event: 'outcome', execution }, 0));
  else say(io, outcomeLine(io, execution));
  if (outcomeExit(execution.outcome) !== 0) note(io, `fettle: more about it: fettle show ${printable(execution.id)}`);
  return outcomeExit(execution.outcome);
}

/** Prints events as they come; for one JSON document at the end they are left to it. */
export function eventPrinter(io: Io, flags: OutputOption): (event: ApiEvent) => void {
  if (flags.output === 'json') return () => {};
  return (event) => say(io, flags.output === 'jsonl' ? printableJson(event, 0) : eventLine(event, io.now()));
}

/** `restart-service:web-1:1-7  healed (verified) in 14s: the query held for 10s` */
export function outcomeLine(io: Io, execution: ApiExecutionDetail): string {
  const proof = execution.outcome === 'healed' ? (execution.verified === true ? ' (verified)' : ' (not verified)') : '';
  const message = execution.message === null ? '' : `: ${printable(execution.message)}`;
  return `${printable(execution.id)}  ${paintedState(io, execution)}${proof} in ${ranFor(execution, io.now())}${message}`;
}

/** The state in its colour, where colour is wanted. */
export function paintedState(io: Io, execution: Pick<ApiExecution, 'state' | 'outcome'>): string {
  const text = stateText(execution);
  return wantsColour(io) ? styleText(outcomeStyle(execution), text, { validateStream: false }) : text;
}
