import { styleText } from 'node:util';
import type { ApiStatus, ApiWindow } from '../workflows/api.ts';
import { connectCoordinator } from './connect-coordinator.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { ClientFlags, OutputOption } from './fettle-command.ts';
import { type Io, note, say, wantsColour } from './io.ts';
import { printDocument } from './list-output.ts';
import { printable, printableJson } from './printable.ts';
import { breakerText, disagreementText, isInForce, pauseText, STRAY, windowText } from './standing-text.ts';
import type { Style } from './table.ts';
import { formatTime } from './time-text.ts';

/** `fettle status`: 0 when requests can be decided now, else 1. */
export async function showStatus(io: Io, flags: ClientFlags & OutputOption): Promise<ExitCode> {
  await using coordinator = await connectCoordinator(io, flags);
  const status = await coordinator.api.status();
  const well = status.temporal.connected && status.gate.state === 'open';
  if (flags.output === 'json') printDocument(io, { status });
  else if (flags.output === 'jsonl') say(io, printableJson(status, 0));
  else {
    for (const line of statusLines(io, status)) say(io, line);
    const next = adviceFor(status);
    if (next !== null) note(io, `fettle: ${next}`);
  }
  return well ? EXIT.ok : EXIT.failed;
}

function statusLines(io: Io, status: ApiStatus): string[] {
  const paint = (good: boolean, text: string): string => colour(io, good ? 'green' : 'red', printable(text));
  const { temporal, gate, fleet } = status;
  const leases = gate.leases === null ? '' : `, ${gate.leases} ${gate.leases === 1 ? 'lease' : 'leases'}`;
  const orphaned = gate.orphaned === null || gate.orphaned === 0 ? '' : `, ${gate.orphaned} orphaned`;
  const waiting = gate.waiting === null || gate.waiting === 0 ? '' : `, ${gate.waiting} waiting`;
  return [
    line('coordinator', printable(`${status.coordinator}, version ${status.version}, domain ${status.domain}`)),
    line(
      'temporal',
      `${paint(temporal.connected, temporal.connected ? 'connected' : 'away')} at ${printable(temporal.address)}`,
    ),
    line(
      'gate',
      `${paint(gate.state === 'open', gate.state)}${leases}${orphaned}${waiting}${gate.detail === null || gate.pauses.length > 0 ? '' : `: ${printable(gate.detail)}`}`,
    ),
    ...standingLines(io, status),
    line('fleet', `${paint(fleet.state === 'ready', fleet.state.replace('_', ' '))}, ${fleet.alive} alive`),
    ...status.config.files.flatMap((file) => [
      line(
        'config',
        `${printable(file.file)} ${formatTime(file.loaded_at, io.now())}${file.problems.length === 0 ? '' : paint(false, ', NOT the newest: it has problems')}`,
      ),
      ...file.problems.map((problem) => line('', printable(problem))),
    ]),
    ...status.warnings.map((warning) => line('warning', colour(io, 'yellow', printable(warning)))),
  ];
}

/** What stands in the way, each with the command that lifts it. */
function standingLines(io: Io, { gate, strays }: ApiStatus): string[] {
  const now = io.now();
  const block = (name: string, text: string, next: string): string[] => [
    line(name, colour(io, 'yellow', printable(text))),
    line('', `lift: ${printable(next)}`),
  ];
  const windows = gate.windows.filter((window) => isInForce(window, now));
  return [
    ...gate.pauses.flatMap((pause) =>
      block('paused', pauseText(pause, now), `fettle resume ${pause.id} --reason "..."`),
    ),
    ...windows.flatMap((window) => block('window', windowText(window, now), windowRemedy(window))),
    ...gate.breakers.flatMap((breaker) =>
      block('breaker', breakerText(breaker, now), `fettle resume ${breaker.id} --reason "..."`),
    ),
    ...gate.orphans.flatMap(({ execution, unsettled }) =>
      block(
        'orphan',
        `${execution}: not settled: ${unsettled.join(', ')}`,
        `fettle lease free ${execution} --config FILE --reason "...", on a coordinator's host, when nothing of it can act`,
      ),
    ),
    ...gate.disagreements.map(({ workflow, definitions }) =>
      line('differ', colour(io, 'yellow', printable(disagreementText(workflow, definitions)))),
    ),
    ...(strays ?? []).map(({ execution, why }) =>
      line('stray', colour(io, 'red', printable(`${execution}: ${STRAY[why]}`))),
    ),
  ];
}

const windowRemedy = ({ name, source }: ApiWindow): string =>
  source === 'person'
    ? `fettle window remove ${name} --reason "..."`
    : "change its window block in the coordinator's files";

const line = (name: string, text: string): string => `${name.padEnd(12)} ${text}`.trimEnd();

const colour = (io: Io, style: Style, text: string): string =>
  wantsColour(io) ? styleText(style, text, { validateStream: false }) : text;

/** What to type when it is not well; null when it is. */
function adviceFor(status: ApiStatus): string | null {
  if (!status.temporal.connected)
    return 'the coordinator does not reach Temporal; on its machine try: fettle doctor --config FILE';
  if (status.gate.state === 'missing') return 'the gate does not exist; try: fettle setup temporal --config FILE';
  if (status.gate.state === 'quarantined')
    return 'the gate lost its memory and decides nothing; look, then on a coordinator\'s host: fettle gate adopt --config FILE --reason "..."';
  if (status.gate.state === 'opening')
    return 'the gate took over from a lost run; in some seconds try again: fettle status';
  if (status.gate.state === 'paused') return 'everything is paused; lift it with the command beside the pause';
  if (status.gate.state !== 'open')
    return `the gate is ${status.gate.state}, so no request is decided; try: fettle doctor`;
  if (status.fleet.state === 'warming_up')
    return 'the fleet is being seen anew, which takes a minute or two; try again: fettle status';
  if (status.fleet.state === 'unreachable') return 'the fleet cannot be seen; try: fettle doctor';
  const broken = status.config.files.find((file) => file.problems.length > 0);
  return broken === undefined
    ? null
    : `older rules are in force; mend the file, then try: fettle validate ${printable(broken.file)}`;
}
