import { styleText } from 'node:util';
import type { ApiPaused, ApiStopScope } from '../workflows/api.ts';
import { connectCoordinator } from './connect-coordinator.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import type { ClientFlags, OutputOption } from './fettle-command.ts';
import { type Io, say, wantsColour } from './io.ts';
import { printDocument } from './list-output.ts';
import { printable, printableJson } from './printable.ts';
import { scopeText } from './standing-text.ts';
import { formatTime } from './time-text.ts';

export type PauseFlags = ClientFlags &
  OutputOption & {
    readonly reason: string;
    /** Milliseconds. */
    readonly for?: number;
    readonly force?: true;
  };

/** `fettle pause [everything | workflow X | datacenter X | node_type X | node X] --reason TEXT` */
export async function pause(
  io: Io,
  what: string | undefined,
  name: string | undefined,
  flags: PauseFlags,
): Promise<ExitCode> {
  const scope = parseScope(what, name);
  await using coordinator = await connectCoordinator(io, flags);
  const paused = await coordinator.api.pause({
    scope,
    reason: flags.reason,
    ...(flags.for === undefined ? {} : { for_s: Math.ceil(flags.for / 1000) }),
    ...(flags.force === true ? { force: true } : {}),
  });
  if (flags.output === 'json') printDocument(io, { pause: paused });
  else if (flags.output === 'jsonl') say(io, printableJson(paused, 0));
  else for (const line of pausedLines(io, paused)) say(io, line);
  return EXIT.ok;
}

/** Nothing said is not everything meant. @throws CommandError */
function parseScope(what: string | undefined, name: string | undefined): ApiStopScope {
  const wrong = (message: string): never => {
    throw new CommandError(EXIT.usage, message, 'fettle pause --help');
  };
  const kind = what?.replace('-', '_');
  if (kind === 'everything') return name === undefined ? { everything: true } : wrong('everything takes no name');
  if (kind === undefined)
    return wrong('say what to pause: everything, or workflow, datacenter, node_type or node NAME');
  if (kind !== 'workflow' && kind !== 'datacenter' && kind !== 'node_type' && kind !== 'node')
    return wrong(`${JSON.stringify(what)} cannot be paused: write everything, workflow, datacenter, node_type or node`);
  if (name === undefined) return wrong(`say which ${kind}: fettle pause ${kind} NAME`);
  if (kind === 'workflow') return { workflow: name };
  if (kind === 'datacenter') return { datacenter: name };
  return kind === 'node_type' ? { node_type: name } : { node: name };
}

/** What is stopped, what may still begin and until when, and how to lift it. */
function pausedLines(io: Io, paused: ApiPaused): string[] {
  const now = io.now();
  const word = wantsColour(io) ? styleText('yellow', 'paused', { validateStream: false }) : 'paused';
  const until = paused.until === null ? 'until it is lifted' : `until ${formatTime(paused.until, now)}`;
  const still = paused.outstanding.map(
    ({ execution, begins_by }) => `  ${printable(execution)} may begin a step until ${formatTime(begins_by, now)}`,
  );
  const quiet =
    still.length === 0
      ? 'No step is permitted any more, other than undoing what was done.'
      : `Permitted before; after ${formatTime(paused.quiet_after, now)} nothing begins any more, other than undoing:`;
  return [
    `${word}  ${printable(scopeText(paused.scope))}  ${printable(paused.id)}  ${until}`,
    quiet,
    ...still,
    `Lift it: fettle resume ${printable(paused.id)} --reason "..."`,
  ];
}
