import { styleText } from 'node:util';
import type { ApiExecutionDetail, ApiPendingDetail } from '../workflows/api.ts';
import type { StepRecord } from '../workflows/contract.ts';
import { connectCoordinator } from './connect-coordinator.ts';
import { eventLine } from './execution-text.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { ClientFlags, OutputOption } from './fettle-command.ts';
import { type Io, say, wantsColour } from './io.ts';
import { printDocument } from './list-output.ts';
import { argumentsText, isPending, pendingLines } from './pending-text.ts';
import { printable, printableJson, printableLines } from './printable.ts';
import { formatDuration, formatTime } from './time-text.ts';
import { outcomeLine, paintedState } from './watch.ts';

/** `fettle show ID`: always 0 when it could be shown; how the execution ended is part of what is shown. */
export async function showExecution(io: Io, id: string, flags: ClientFlags & OutputOption): Promise<ExitCode> {
  await using coordinator = await connectCoordinator(io, flags);
  if (isPending(id)) return showPending(io, await coordinator.api.pendingRequest(id), flags);
  const execution = await coordinator.api.execution(id);
  if (flags.output === 'json') printDocument(io, { execution });
  else if (flags.output === 'jsonl') say(io, printableJson(execution, 0));
  else for (const line of executionLines(io, execution)) say(io, line);
  return EXIT.ok;
}

/** How a request waits, or what became of it. */
function showPending(io: Io, detail: ApiPendingDetail, flags: OutputOption): ExitCode {
  if (flags.output === 'json') printDocument(io, { pending: detail });
  else if (flags.output === 'jsonl') say(io, printableJson(detail, 0));
  else for (const line of pendingLines(io, detail)) say(io, line);
  return EXIT.ok;
}

/** The whole story of one execution, every text from elsewhere made printable. */
export function executionLines(io: Io, execution: ApiExecutionDetail): string[] {
  const heading = (text: string): string[] => [
    '',
    wantsColour(io) ? styleText('bold', text, { validateStream: false }) : text,
  ];
  return [
    execution.state === 'running'
      ? `${printable(execution.id)}  ${paintedState(io, execution)}`
      : outcomeLine(io, execution),
    ...facts(io, execution),
    ...heading('Evidence'),
    ...evidence(io, execution),
    ...heading('Steps'),
    ...(execution.steps.length === 0 ? ['  none yet'] : execution.steps.flatMap((step) => stepLines(io, step))),
    ...heading('Timeline'),
    ...execution.timeline.map((event) => `  ${eventLine(event, io.now())}`),
    ...(execution.state === 'running' ? ['', `Follow it: fettle watch ${printable(execution.id)}`] : []),
  ];
}

function facts(io: Io, execution: ApiExecutionDetail): string[] {
  const place = [execution.node_type, execution.datacenter].filter((part) => part !== null).join(', ');
  return [
    fact('workflow', execution.workflow + (execution.dry_run ? '   (dry run: nothing is changed)' : '')),
    fact('target', execution.target + (place === '' ? '' : `   (${place})`)),
    fact('arguments', argumentsText(execution.args)),
    fact('asked by', execution.caller),
    fact('why', execution.reason ?? '-'),
    fact('request', execution.request),
    fact('plan', execution.plan),
    fact('started', formatTime(execution.started_at, io.now())),
    ...(execution.closed_at === null ? [] : [fact('ended', formatTime(execution.closed_at, io.now()))]),
  ];
}

function evidence(io: Io, { evidence: seen }: ApiExecutionDetail): string[] {
  const labels = Object.entries(seen.labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return [
    fact('seen', seen.summary),
    fact('source', seen.source),
    fact('at', formatTime(seen.observed_at, io.now())),
    fact('good until', formatTime(seen.valid_until, io.now())),
    ...(labels.length === 0 ? [] : [fact('labels', labels.join(' '))]),
  ];
}

const fact = (name: string, value: string): string => `  ${name.padEnd(11)} ${printable(value)}`;

function stepLines(io: Io, step: StepRecord): string[] {
  const took =
    step.began !== null && step.ended !== null ? ` in ${formatDuration(Math.max(0, step.ended - step.began))}` : '';
  const node = step.node === null ? '' : ` on ${step.node}`;
  return [
    printable(`  ${step.step} #${step.attempt}: ${step.action}${node}: ${resultText(step)}${took}`),
    ...(step.permittedAt === null ? [] : [printable(`    permitted ${formatTime(step.permittedAt, io.now())}`)]),
    ...(step.began === null ? [] : [printable(`    began     ${formatTime(step.began, io.now())}`)]),
    ...outputLines(step),
  ];
}

/** How it went, with the stable code that documentation can be searched for. */
function resultText({ result }: StepRecord): string {
  switch (result.status) {
    case 'done':
      return 'done';
    case 'failed':
      return `failed (${result.code}): ${result.message}`;
    case 'refused':
      return `refused by the agent (${result.code}): ${result.message}`;
    case 'no_permit':
      return `no permit from the gate (${result.code}): ${result.message}`;
    default:
      return `${result.status}: ${result.message}`;
  }
}

function outputLines({ result }: StepRecord): string[] {
  if (result.status !== 'done' && result.status !== 'failed') return [];
  const { facts: found, exitCode, signal = null, head = null, tail, digest, bytes } = result.output;
  const shown = (text: string | null): string[] =>
    text === null || text === '' ? [] : printableLines(text).map((line) => `    | ${line}`);
  const left = bytes - Buffer.byteLength(head ?? '') - Buffer.byteLength(tail ?? '');
  const names = Object.entries(found).map(([name, value]) => `${name}=${String(value)}`);
  return [
    ...(names.length === 0 ? [] : [printable(`    facts     ${names.join(' ')}`)]),
    ...(exitCode === null ? [] : [`    exit code ${exitCode}`]),
    ...(signal === null ? [] : [printable(`    signal    ${signal}`)]),
    ...(digest === null ? [] : [printable(`    output    ${bytes} bytes, SHA-256 ${digest}`)]),
    ...shown(head),
    ...(head === null || left <= 0 ? [] : [`    ... ${left} bytes left out`]),
    ...shown(tail),
  ];
}
