/** What happened to one request, in sentences. */
import type { ApiDecisionRecord, ApiEvent, ApiExecutionDetail, ApiRecordedLimit } from '../../workflows/api.ts';
import { formatLease } from '../../workflows/contract.ts';
import type { Answer, Approve, Ask, Operation, PauseScope, Permit } from '../../workflows/gate/operations.ts';
import type { WindowHeld } from '../../workflows/gate/state.ts';
import type { Entry } from './gate-runs.ts';
import type { Paused } from './in-force.ts';

/** One entry with what the record said of that moment. */
export type Told = {
  readonly entry: Entry;
  readonly record: ApiDecisionRecord | null;
  readonly pauses: readonly Paused[];
  readonly windows: readonly WindowHeld[];
};

type Line = { readonly event: string; readonly message: string };

/** Oldest first. Asks that changed nothing are counted, not told one by one. */
export function tellStory(entries: readonly Told[], execution: ApiExecutionDetail | null): ApiEvent[] {
  const lines: ApiEvent[] = [];
  let again = 0;
  const tell = (at: number, { event, message }: Line): void =>
    void lines.push({ at: new Date(at).toISOString(), event, message });
  for (const [index, one] of entries.entries()) {
    const { entry } = one;
    if (isSameAgain(entry)) {
      again += 1;
      const next = entries[index + 1];
      if (next !== undefined && isSameAgain(next.entry)) continue;
      tell(entry.at, { event: 'asked', message: `asked again ${times(again)}, and waited on` });
      again = 0;
      continue;
    }
    if (entry.op.op === 'ask') for (const line of askLines(one, entry.op, execution)) tell(entry.at, line);
    else for (const line of laterLines(entry.op, entry.answer)) tell(entry.at, line);
  }
  const closed = execution?.closed_at ?? null;
  if (execution !== null && closed !== null)
    lines.push({ at: closed, event: execution.outcome ?? 'closed', message: endOf(execution) });
  return lines;
}

const isSameAgain = ({ op, answer }: Entry): boolean =>
  op.op === 'ask' && op.rq !== undefined && answer.a === 'pending' && answer.pause !== true;

const times = (count: number): string => (count === 1 ? 'once' : `${count} times`);

const endOf = ({ outcome, message }: ApiExecutionDetail): string =>
  `it ended: ${outcome ?? 'without an outcome'}${message === null ? '' : `, ${message}`}`;

function* askLines(one: Told, op: Ask, execution: ApiExecutionDetail | null): Generator<Line> {
  const { record, entry } = one;
  if (op.rq === undefined) {
    yield { event: 'asked', message: askText(op) };
    const own = execution !== null && record?.execution === execution.id && record.decision === 'admitted';
    if (own) yield { event: 'evidence', message: evidenceText(execution) };
  }
  for (const { by, why, scope } of one.pauses)
    yield { event: 'paused', message: `${pauseText(scope)} was paused by ${by}: ${why}` };
  for (const { name, by, why, until } of one.windows)
    yield {
      event: 'window',
      message: `the window "${name}" was closed until ${new Date(until).toISOString()} (by ${by}${why === '' ? '' : `: ${why}`})`,
    };
  if (record !== null) yield { event: record.decision, message: decisionText(record) };
  else if (entry.answer.a === 'pending') yield { event: 'pending', message: 'it waited on, because of the pause' };
}

const askText = (op: Ask): string => {
  const what = `${op.by ?? 'somebody'} asked for ${op.w} on ${op.t.n ?? op.t.y ?? op.t.c ?? ''}`;
  const why = (op.ev ?? '') === '' ? '' : `, because ${op.ev} saw a fault`;
  return `${what}${why}${op.dry === true ? ' (a dry run)' : ''}${op.q === undefined ? '' : `, as request ${op.q}`}`;
};

const evidenceText = ({ evidence, reason }: ApiExecutionDetail): string => {
  const labels = Object.entries(evidence.labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const seen = `the evidence: ${evidence.summary}, seen by ${evidence.source} at ${evidence.observed_at}`;
  const more = labels.length === 0 ? '' : ` (${labels.join(' ')})`;
  return `${seen}${more}${reason === null ? '' : `; the reason given: ${reason}`}`;
};

const PAUSE_WORDS: Readonly<Record<PauseScope['k'], string>> = {
  all: 'everything',
  w: 'workflow',
  n: 'node',
  y: 'node type',
  c: 'datacenter',
};
const pauseText = ({ k, v }: PauseScope): string => `${PAUSE_WORDS[k]}${v === undefined ? '' : ` ${v}`}`;

function decisionText(record: ApiDecisionRecord): string {
  const limits = record.limits.map(limitText).join('; ');
  switch (record.decision) {
    case 'admitted':
      return `admitted as ${record.execution}${limits === '' ? '; no limit of its own applied' : `; the limits then: ${limits}`}`;
    case 'duplicate':
      return `nothing new was started: it had been admitted as ${record.execution}`;
    case 'pending':
      return `it had to wait: ${WAITS[record.code ?? ''] ?? record.code}${limits === '' ? '' : ` (${limits})`}`;
    case 'shadow':
      return `rehearsed only (mode shadow): it would have been ${record.code}${limits === '' ? '' : `, for ${limits}`}`;
    case 'ended':
      return `it waits no more: ${ENDS[record.code ?? ''] ?? record.code}`;
    default:
      return `refused: ${limits === '' ? (REFUSALS[record.code ?? ''] ?? record.code) : limits}${record.code === 'full' ? '; as many waited already as may' : ''}`;
  }
}

const WAITS: Readonly<Record<string, string>> = {
  limits: 'for room in its limits',
  approval: "for a person's approval",
  pause: 'for the end of a pause',
  waits_already: 'the same fault waited already, under an earlier request',
};
const ENDS: Readonly<Record<string, string>> = {
  no_fault: 'the fault was over',
  stale_evidence: 'its evidence had become too old',
  wait_over: 'it had waited as long as it wanted to',
  denied: 'a person denied it',
  not_waiting: 'the gate did not know of it any more',
};
const REFUSALS: Readonly<Record<string, string>> = {
  paused: 'a pause covered it',
  stale_evidence: 'its evidence was too old',
  too_old: 'the request itself was too old',
  request_id_reused: 'its request id had been used for another plan',
  full: 'it would have waited',
};

export function limitText(limit: ApiRecordedLimit): string {
  const { constraint, scope, name, current, limit: allowed, percent, retry_after_s: wait } = limit;
  if (constraint === 'window') return `the window "${name ?? ''}" was closed`;
  if (constraint === 'one_change_per_node') return 'another change was under way on the node';
  if (constraint === 'fleet_unknown') return 'nobody had reported for a minute which nodes are up';
  const what = `${constraint} per ${scope}${name === null ? '' : ` of "${name}"`}`;
  const free = wait === null ? '' : `, free in ${wait} s at the earliest`;
  return `${what}: ${current} of ${allowed}${percent === true ? ' %' : ''}${free}`;
}

/** What was said of a request after it was asked for. */
function laterLines(op: Operation, answer: Answer): Line[] {
  switch (op.op) {
    case 'approve':
      return [approvalLine(op, answer)];
    case 'deny':
      return [{ event: 'denied', message: `${op.by} denied it${because(op.why)}` }];
    case 'leave':
      return [{ event: 'left', message: `it was withdrawn${because(op.why)}` }];
    case 'permit':
      return permitLines(op, answer);
    case 'release':
      return answer.a === 'ok' && answer.held === true
        ? [{ event: 'orphaned', message: `lease ${lease(op.l)} is still held: something of it was not settled` }]
        : [{ event: 'released', message: `its limits were given back (${op.o})` }];
    case 'free':
      return [{ event: 'freed', message: `${op.by} freed its limits by hand${because(op.why)}` }];
    default:
      return [];
  }
}

function approvalLine(op: Approve, answer: Answer): Line {
  if (answer.a === 'no_approval')
    return { event: 'no_approval', message: `${op.by} could not approve it: ${answer.c.replaceAll('_', ' ')}` };
  const glass = op.glass === true ? ', breaking the glass' : '';
  return { event: 'approved', message: `${op.by} approved it${glass}${because(op.why)}` };
}

function permitLines(op: Permit, answer: Answer): Line[] {
  const step = `step ${op.s} (attempt ${op.a})`;
  if (answer.a === 'permit') return [{ event: 'permitted', message: `${step} was permitted on ${op.n}` }];
  if (answer.a !== 'no_permit') return [];
  const why = `${answer.c}${answer.why === undefined ? '' : `: ${answer.why}`}`;
  return [{ event: 'no_permit', message: `${step} was not permitted on ${op.n}: ${why}` }];
}

const because = (why: string | undefined): string => (why === undefined || why === '' ? '' : `: ${why}`);
const lease = ([epoch, n]: readonly [number, number]): string => formatLease({ epoch, n });
