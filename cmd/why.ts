import { styleText } from 'node:util';
import type { ApiLimit, ApiStory } from '../workflows/api.ts';
import { connectCoordinator } from './connect-coordinator.ts';
import type { WhyQuery } from '../identity/coordinator-client.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import type { ClientFlags, OutputOption } from './fettle-command.ts';
import { type Io, note, say, wantsColour } from './io.ts';
import { printDocument } from './list-output.ts';
import { printable, printableJson } from './printable.ts';
import { formatClock, formatTime } from './time-text.ts';

export type WhyFlags = ClientFlags & OutputOption & { node?: string; alert?: string };

/** `fettle why`: always 0 when there is something to tell. */
export async function explain(io: Io, id: string | undefined, flags: WhyFlags): Promise<ExitCode> {
  const query = queryOf(id, flags);
  await using coordinator = await connectCoordinator(io, flags);
  const { stories, reaches_back_to: reaches } = await coordinator.api.why(query);
  if (flags.output === 'json') printDocument(io, { stories, reaches_back_to: reaches });
  else if (flags.output === 'jsonl') for (const story of stories) say(io, printableJson(story, 0));
  else
    for (const [index, story] of stories.entries())
      for (const line of [...(index === 0 ? [] : ['']), ...storyLines(io, story)]) say(io, line);
  if (reaches !== null) note(io, `The record reaches back to ${formatTime(reaches, io.now())}.`);
  return EXIT.ok;
}

/** An execution's id holds colons; its number alone is looked for among requests too, so it goes as one. */
function queryOf(id: string | undefined, { node, alert }: WhyFlags): WhyQuery {
  const given = [id, node, alert].filter((value) => value !== undefined).length;
  if (given !== 1)
    throw new CommandError(
      EXIT.usage,
      'name one thing: a request, an execution, --node or --alert',
      'fettle why --help',
    );
  if (id === undefined) return { node, alert };
  return id.includes(':') && !id.includes('/') ? { execution: id } : { request: id };
}

function storyLines(io: Io, story: ApiStory): string[] {
  const end = story.execution === null ? story.decision : (story.outcome ?? 'running');
  const title = printable(`${story.workflow} on ${story.target}: ${end}`);
  return [
    wantsColour(io) ? styleText('bold', title, { validateStream: false }) : title,
    ...story.lines.map(({ at, message }) => printable(`  ${clock(at, io.now())}  ${sentence(message)}`)),
    ...(story.in_the_way.length === 0
      ? []
      : ['  In its way now:', ...story.in_the_way.map((limit) => printable(`    ${standing(limit)}`))]),
    ...(story.execution === null ? [] : [printable(`  More: fettle show ${story.execution}`)]),
  ];
}

const clock = (at: string, now: number): string => {
  const time = Date.parse(at);
  return Number.isNaN(time) ? at : formatClock(time, now);
};

/** Words get a capital letter, ids stay as they are. */
const sentence = (text: string): string =>
  `${/^[a-z]+(?:,|:? )/.test(text) ? text.slice(0, 1).toUpperCase() + text.slice(1) : text}.`;

function standing({ constraint, scope, of, name, current, limit, holders, retry_after_s: wait }: ApiLimit): string {
  const what = `${constraint} per ${scope}${of === '' ? '' : ` ${of}`}${name === null ? '' : ` (${name})`}`;
  const held =
    holders.length === 0
      ? ''
      : `, held by ${holders.slice(0, 5).join(', ')}${holders.length > 5 ? ` and ${holders.length - 5} more` : ''}`;
  const free = wait === null ? ', free when what holds it has ended' : `, free in ${wait} s at the earliest`;
  return `${what}: ${current} of ${limit}${held}${free}`;
}
