/** The record joined up: each lease with the execution that bears its number and the times at which its hosts were acting. */
import { ledgerOf, type Ledger, type LeaseLife } from './ledger.ts';
import { leaseName, type ExecutionFact, type ProofRecord } from './record.ts';

export type Interval = { readonly lease: LeaseLife; readonly from: number; readonly to: number };

export type Facts = {
  readonly record: ProofRecord;
  readonly ledger: Ledger;
  /** Executions by the lease in their input. */
  readonly executions: ReadonlyMap<string, readonly ExecutionFact[]>;
  /** In the gate's own order: from admission to the end of the hold. */
  readonly held: readonly Interval[];
  /** By the server's clock: from the start of the execution to the end of the hold. */
  readonly running: readonly Interval[];
  /** By hosts' clocks: each time one was acting, as receipts and the commands' own lines tell. */
  readonly acting: readonly Interval[];
};

export function factsOf(record: ProofRecord): Facts {
  const ledger = ledgerOf(record);
  const executions = Map.groupBy(
    record.executions.filter((execution) => execution.input !== null),
    ({ input }) => (input === null ? '' : leaseName(input.lease)),
  );
  const held = ledger.leases.map((lease) => ({
    lease,
    from: lease.admitted.seq,
    to: lease.ended?.seq ?? Number.POSITIVE_INFINITY,
  }));
  const running = ledger.leases.flatMap((lease) => {
    const started = startOf(executions, lease);
    const to = lease.ended?.at ?? Number.POSITIVE_INFINITY;
    return started === null || started >= to ? [] : [{ lease, from: started, to }];
  });
  return { record, ledger, executions, held, running, acting: actingOf(record, ledger, executions) };
}

/** When the lease's execution began by the server; null: it never did. */
export function startOf(executions: Facts['executions'], lease: LeaseLife): number | null {
  const started = executions.get(lease.name)?.map((execution) => execution.started) ?? [];
  return started.length === 0 ? null : Math.min(...started);
}

function actingOf(record: ProofRecord, ledger: Ledger, executions: Facts['executions']): Interval[] {
  const byExecution = new Map<string, LeaseLife>();
  const byMark = new Map<string, LeaseLife>();
  for (const lease of ledger.leases) {
    for (const { id, input } of executions.get(lease.name) ?? []) {
      byExecution.set(id, lease);
      if (input?.mark) byMark.set(input.mark, lease);
    }
  }
  const signed = record.actions.flatMap(({ execution, began, ended }): Interval[] => {
    const lease = byExecution.get(execution);
    return lease === undefined || began === null ? [] : [{ lease, from: began, to: ended }];
  });
  // Only what began and ended by its own word: a command that was killed leaves no end.
  const ends = new Map(
    record.effects.flatMap((one) => (one.phase === 'end' ? [[`${one.mark} ${one.pid}`, one.at]] : [])),
  );
  const written = record.effects.flatMap(({ mark, pid, phase, at }): Interval[] => {
    const lease = byMark.get(mark);
    return lease === undefined || phase === 'end' ? [] : [{ lease, from: at, to: ends.get(`${mark} ${pid}`) ?? at }];
  });
  return [...signed, ...written];
}
