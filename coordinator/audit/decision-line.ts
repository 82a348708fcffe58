/** What the gate was told and answered, as a line of the audit: decisions and people's words, nothing that is only bookkeeping. */
import type { Answer, Ask, Operation } from '../../workflows/gate/operations.ts';
import { refName } from '../../workflows/gate/target-ref.ts';
import { CONSTRAINT, scopeText } from '../gate/reasons.ts';
import { execution } from '../journal/decision-record.ts';
import { toApiWindowScope, toStopScope } from '../stop/stop-scope.ts';
import type { AuditFields } from './chain.ts';

/** Null: not to be written down. `caller` gives the whole text of a caller that the gate knows by a short one. */
export function auditLine(op: Operation, answer: Answer, caller: (short: string) => string): AuditFields | null {
  switch (op.op) {
    case 'ask':
      return askLine(op, answer, caller);
    case 'approve':
      return {
        ...word('approval', op, caller),
        pending: op.rq,
        plan: op.p,
        break_glass: op.glass === true,
        ...result(answer),
      };
    case 'deny':
      return { ...word('denial', op, caller), pending: op.rq, ...result(answer) };
    case 'pause':
      return {
        ...word('pause', op, caller),
        id: op.id,
        scope: toStopScope(op.sc),
        until: time(op.until),
        ...result(answer),
      };
    case 'resume':
      return { ...word('resume', op, caller), id: op.pause, ...result(answer) };
    case 'window':
      // Those of files are announced each minute: the file is their record.
      return op.src === 'f'
        ? null
        : {
            ...word('window', op, caller),
            name: op.nm,
            scope: toApiWindowScope(op.sc),
            from: time(op.f),
            until: time(op.u),
            ...result(answer),
          };
    case 'unwindow':
      return { ...word('window_removed', op, caller), name: op.nm, ...result(answer) };
    case 'free':
      return { ...word('lease_freed', op, caller), lease: [...op.l], ...result(answer) };
    case 'adopt':
      return { ...word('gate_adopted', op, caller), ...result(answer) };
    case 'permit':
      return answer.a === 'no_permit'
        ? {
            kind: 'permit_refused',
            lease: [...op.l],
            step: op.s,
            attempt: op.a,
            node: op.n,
            code: answer.c,
            why: answer.why,
          }
        : null;
    default:
      return null;
  }
}

/** Answers that were given before, and those of a request that goes on waiting, decided nothing. */
function askLine(op: Ask, answer: Answer, caller: (short: string) => string): AuditFields | null {
  if ('known' in answer && answer.known) return null;
  if (answer.a === 'unknown_definition' || (answer.a === 'pending' && op.rq !== undefined)) return null;
  return {
    kind: 'decision',
    decision: answer.a,
    request: op.q,
    caller: op.by === undefined ? undefined : caller(op.by),
    workflow: op.w,
    target: refName(op.t),
    plan: op.p,
    source: op.ev,
    episode: op.e?.id,
    dry_run: op.dry,
    pending: op.rq ?? (answer.a === 'pending' ? answer.rq : undefined),
    execution: answer.a === 'admitted' || answer.a === 'duplicate' ? execution(op, answer.l) : undefined,
    ...result(answer),
  };
}

const word = (
  kind: string,
  { by, why }: { by: string; why?: string },
  caller: (short: string) => string,
): AuditFields => ({
  kind,
  by: caller(by),
  reason: why,
});

/** The stable code of an answer, and what stood in the way with its counts. */
function result(answer: Answer): Record<string, unknown> {
  const code = 'c' in answer ? answer.c : 'full' in answer && answer.full ? 'full' : undefined;
  const reasons = 'r' in answer ? answer.r : undefined;
  return {
    answer: answer.a,
    code,
    why: 'why' in answer ? answer.why : undefined,
    counts: answer.a === 'admitted' ? answer.n && [...answer.n] : undefined,
    limits_version: 'v' in answer ? answer.v : undefined,
    reasons: reasons?.map(([kind, scope, limit, current, free, name]) => ({
      constraint: CONSTRAINT[kind],
      scope: scopeText(scope),
      limit,
      current,
      free: time(free ?? undefined),
      name,
    })),
    more_reasons: 'more' in answer ? answer.more : undefined,
  };
}

const time = (at: number | undefined): string | undefined =>
  at === undefined ? undefined : new Date(at).toISOString();
