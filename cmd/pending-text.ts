/** One request that waits, or waited, in lines. */
import type { ApiPendingDetail } from '../workflows/api.ts';
import type { Io } from './io.ts';
import { printable } from './printable.ts';
import { reasonText, waitsForText } from './standing-text.ts';
import { formatTime } from './time-text.ts';

export const isPending = (id: string): boolean => id.startsWith('pending:');

/** How it waits, what it waits for and what can be done about it; or what it became. */
export function pendingLines(io: Io, detail: ApiPendingDetail): string[] {
  const { pending, state, outcome, execution, message, request } = detail;
  const name = printable(pending);
  if (state === 'ended') {
    const next = execution === null ? [] : ['', `Its execution: fettle show ${printable(execution)}`];
    return [`${name}  ended (${printable(outcome ?? 'no outcome')}): ${printable(message)}`, ...next];
  }
  const yes = request?.waits_for === 'approval' ? [`Say yes: fettle approve ${name}   no: fettle deny ${name}`] : [];
  return [
    `${name}  pending: ${printable(message)}`,
    ...pendingFacts(io, detail),
    '',
    ...yes,
    `Let it wait no more: fettle cancel ${name} --reason "..."`,
  ];
}

export function pendingFacts(io: Io, { request, asked }: ApiPendingDetail): string[] {
  if (request === null) return [];
  const now = io.now();
  const place = request.place === 0 ? 'first in line' : `${request.place} wait before it`;
  return [
    fact('workflow', request.workflow),
    fact('target', request.target),
    ...(asked === null
      ? []
      : [fact('arguments', argumentsText(asked.args)), fact('why', asked.reason ?? '-'), fact('seen', asked.evidence)]),
    fact('asked by', request.caller),
    fact('request', request.request),
    fact('plan', request.plan),
    fact('since', formatTime(request.since, now)),
    fact('waits for', `${waitsForText(request)}; ${place}`),
    ...request.reasons.map((reason) => fact('', reasonText(reason))),
    fact('asks again', formatTime(request.asks_again_at, now)),
    fact('at most', `until ${formatTime(request.expires_at, now)}`),
    ...(request.approved_by === null ? [] : [fact('approved by', request.approved_by)]),
  ];
}

const fact = (name: string, value: string): string => `  ${name.padEnd(11)} ${printable(value)}`;

export const argumentsText = (args: Readonly<Record<string, unknown>>): string =>
  Object.entries(args)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ') || '-';
