import type { ApiDecisionRecord, ApiRecordedLimit } from '../workflows/api.ts';
import { connectCoordinator } from './connect-coordinator.ts';
import type { DecisionQuery } from '../identity/coordinator-client.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { ClientFlags, OutputOption } from './fettle-command.ts';
import { type Io, note, say } from './io.ts';
import { printDocument, printList } from './list-output.ts';
import { printableJson } from './printable.ts';
import { parseSince } from './ps.ts';
import type { Column, Style } from './table.ts';
import { formatTime } from './time-text.ts';

export type DecisionsFlags = ClientFlags &
  OutputOption & { workflow?: string; node?: string; refused?: true; since?: string; all?: true };

const SOME = 50;
/** The most that a coordinator gives at once. */
const PAGE = 500;

/** `fettle decisions` */
export async function listDecisions(io: Io, flags: DecisionsFlags): Promise<ExitCode> {
  const since = flags.since === undefined ? undefined : parseSince(flags.since, io.now());
  await using coordinator = await connectCoordinator(io, flags);
  const { workflow, node, refused } = flags;
  const query: DecisionQuery = { workflow, node, refused, since, limit: flags.all === true ? PAGE : SOME };
  const rows: ApiDecisionRecord[] = [];
  let reaches: string | null;
  let next: string | null = null;
  do {
    const page = await coordinator.api.decisions({ ...query, before: next ?? undefined });
    reaches = page.reaches_back_to;
    next = page.next;
    if (flags.output === 'jsonl') for (const row of page.decisions) say(io, printableJson(row, 0));
    else rows.push(...page.decisions);
    // Without --all a page that was cut short by the length of the record is followed by the rest of it.
  } while (next !== null && (flags.all === true || (rows.length < SOME && flags.output !== 'jsonl')));
  if (flags.output === 'json') printDocument(io, { decisions: rows, reaches_back_to: reaches });
  else if (flags.output !== 'jsonl')
    printList(io, {
      format: flags.output,
      name: 'decisions',
      rows,
      columns: columnsAt(io.now()),
      empty: 'No decisions.',
    });
  if (next !== null) note(io, 'There are older ones: fettle decisions --all');
  if (reaches !== null)
    note(io, `The record reaches back to ${formatTime(reaches, io.now())}; what was decided before is no longer kept.`);
  return EXIT.ok;
}

const STYLES: Readonly<Record<ApiDecisionRecord['decision'], Style>> = {
  admitted: 'green',
  duplicate: 'gray',
  refused: 'red',
  pending: 'yellow',
  shadow: 'cyan',
  ended: 'yellow',
};

const columnsAt = (now: number): readonly Column<ApiDecisionRecord>[] => [
  { header: 'TIME', value: (row) => formatTime(row.at, now), cut: 2 },
  { header: 'DECISION', value: (row) => row.decision, cut: 0, style: (row) => STYLES[row.decision] },
  { header: 'WORKFLOW', value: (row) => row.workflow, cut: 3 },
  { header: 'TARGET', value: (row) => row.target, cut: 1 },
  { header: 'WHY', value: whyText, cut: 5 },
  { header: 'REQUEST', value: (row) => row.request, cut: 6, wide: true },
  { header: 'CALLER', value: (row) => row.caller, cut: 7, wide: true },
  { header: 'SOURCE', value: (row) => row.source || '-', cut: 8, wide: true },
];

/** In few words: what it became, or what stood in its way. */
function whyText(row: ApiDecisionRecord): string {
  if (row.execution !== null) return row.execution;
  const code = (row.code ?? '').replaceAll('_', ' ');
  const limits = row.limits.map(limitWords).join('; ');
  if (limits === '') return code;
  return row.code === 'limits' ? limits : `${code}: ${limits}`;
}

function limitWords({ constraint, scope, name, current, limit, percent }: ApiRecordedLimit): string {
  if (constraint === 'window') return `window ${name ?? ''}`;
  if (constraint === 'one_change_per_node') return 'another change on the node';
  if (constraint === 'fleet_unknown') return 'fleet not known';
  return `${constraint} per ${scope}${name === null ? '' : ` (${name})`} ${current}/${limit}${percent === true ? '%' : ''}`;
}
