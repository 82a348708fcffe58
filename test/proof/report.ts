/** What the checker found, for people and for programs. */
import { renderTable, type Column } from '../../cmd/table.ts';
import { DOUBLED, OVER_ADMISSIONS, type Finding } from './finding.ts';
import { applied } from './ledger.ts';
import type { ProofRecord } from './record.ts';

export type Counts = {
  readonly decisions: number;
  readonly admitted: number;
  readonly refused: number;
  readonly executions: number;
  readonly actions: number;
  readonly over_admissions: number;
  readonly doubled_actions: number;
  readonly lost: number;
};

export function countsOf(record: ProofRecord, findings: readonly Finding[]): Counts {
  const asks = record.journal.filter(
    (entry) => entry.kind === 'exchange' && entry.op.op === 'ask' && applied(entry.given),
  );
  const answered = (answer: string): number =>
    asks.filter((entry) => entry.kind === 'exchange' && entry.given?.a === answer && entry.given.known !== true).length;
  const found = (kinds: ReadonlySet<string>): number => findings.filter(({ kind }) => kinds.has(kind)).length;
  return {
    decisions: asks.length,
    admitted: answered('admitted'),
    refused: answered('refused'),
    executions: record.executions.length,
    actions: record.actions.length,
    over_admissions: found(OVER_ADMISSIONS),
    doubled_actions: found(DOUBLED),
    lost: found(new Set(['lost', 'never-started'])),
  };
}

const COLUMNS: readonly Column<Finding>[] = [
  { header: 'AT', value: ({ at }) => new Date(at).toISOString(), cut: 0 },
  { header: 'WHICH', value: ({ subject }) => subject, cut: 1 },
  { header: 'WHAT', value: ({ what }) => what, cut: 2 },
];

/** A table for each kind of finding, and one line that sums up. */
export function reportText(record: ProofRecord, findings: readonly Finding[]): string {
  const tables = [...Map.groupBy(findings, ({ kind }) => kind)].map(
    ([kind, all]) =>
      `${[kind, ...renderTable(COLUMNS, all, { columns: null, colour: false, wide: false })].join('\n')}\n`,
  );
  return [...tables, `${closingLine(record, findings)}\n`].join('\n');
}

function closingLine(record: ProofRecord, findings: readonly Finding[]): string {
  const { decisions, admitted, executions, actions } = countsOf(record, findings);
  const first = record.journal[0]?.at;
  const reach = first === undefined ? 'an empty journal' : `since ${new Date(first).toISOString()}`;
  const before = record.whole ? '' : '; what was before is not kept any more';
  const found = findings.length === 0 ? 'nothing found' : `${findings.length} found`;
  return `${found}: ${decisions} decisions (${admitted} admitted), ${executions} executions, ${actions} receipts, ${reach}${before}`;
}
