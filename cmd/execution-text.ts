import type { ApiEvent, ApiExecution } from '../workflows/api.ts';
import type { Outcome } from '../workflows/contract.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { printable } from './printable.ts';
import type { Column, Style } from './table.ts';
import { formatClock, formatDuration, formatTime } from './time-text.ts';

/** Outcomes that leave nothing to do for a person. */
const GOOD: ReadonlySet<Outcome | null> = new Set<Outcome | null>(['healed', 'no_fault', 'dry_run']);

/** 0 when the execution ended well, 5 when it ended otherwise. */
export const outcomeExit = (outcome: Outcome | null): ExitCode => (GOOD.has(outcome) ? EXIT.ok : EXIT.unsuccessful);

/** The outcome, or that it still runs. */
export const stateText = (execution: Pick<ApiExecution, 'state' | 'outcome'>): string =>
  execution.state === 'running' ? 'running' : (execution.outcome ?? 'closed');

export const outcomeStyle = (execution: Pick<ApiExecution, 'state' | 'outcome'>): Style =>
  execution.state === 'running' ? 'cyan' : GOOD.has(execution.outcome) ? 'green' : 'red';

/** How long it ran, or runs by now. */
export function ranFor(execution: Pick<ApiExecution, 'started_at' | 'closed_at'>, now: number): string {
  const end = execution.closed_at === null ? now : Date.parse(execution.closed_at);
  const ms = end - Date.parse(execution.started_at);
  return Number.isNaN(ms) ? '-' : formatDuration(Math.max(0, ms));
}

/** Columns of `ps`; the whole id is never the first to be cut, it is what people copy. */
export const executionColumns = (now: number): readonly Column<ApiExecution>[] => [
  { header: 'ID', value: (row) => row.id, cut: 0 },
  { header: 'STATE', value: stateText, cut: 1, style: outcomeStyle },
  { header: 'STARTED', value: (row) => formatTime(row.started_at, now), cut: 3 },
  { header: 'TOOK', value: (row) => ranFor(row, now), cut: 2, right: true },
  { header: 'WORKFLOW', value: (row) => row.workflow, cut: 5, wide: true },
  { header: 'NODE', value: (row) => row.node ?? '-', cut: 4, wide: true },
  { header: 'TYPE', value: (row) => row.node_type ?? '-', cut: 6, wide: true },
  { header: 'DATACENTER', value: (row) => row.datacenter ?? '-', cut: 7, wide: true },
  { header: 'CALLER', value: (row) => row.caller, cut: 9 },
];

/** One line of a timeline: clock, event, where, what. */
export function eventLine(event: ApiEvent, now: number): string {
  const at = Date.parse(event.at);
  const clock = Number.isNaN(at) ? event.at : formatClock(at, now);
  const attempt = event.attempt === undefined || event.attempt === 1 ? '' : `#${event.attempt}`;
  const place = [event.step === undefined ? '' : `${event.step}${attempt}`, event.node ?? '']
    .filter((part) => part !== '')
    .join('@');
  const parts = [clock, event.event.padEnd(10), place, event.message].filter((part) => part !== '');
  return printable(parts.join('  '));
}
