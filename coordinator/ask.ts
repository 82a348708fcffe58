/** A checked request as it goes to the gate: within the bytes that an operation may have. */
import { targetRef } from '../workflows/gate/target-ref.ts';
import { MAX_OPERATION_BYTES, type Ask } from '../workflows/gate/operations.ts';
import type { Asked } from '../workflows/pending-request.ts';
import { callerRef } from './caller-ref.ts';
import { shortDigestOf } from './digest.ts';
import type { Ruling } from './gate/ruling.ts';

const MAX_REQUEST = 40;
const MAX_SOURCE = 40;

/** The same for every repetition of a request, by whichever coordinator; nobody can use another caller's. */
export const askId = (caller: string, request: string): string =>
  `a:${shortDigestOf({ caller, request }).slice(0, 16)}`;

export type AskParts = {
  readonly id: string;
  readonly at: number;
  readonly evidenceUntil: number;
  /** Waits for limits until then. */
  readonly waitUntil?: number;
  /** Of the request that waits, when this is not its first ask. */
  readonly rq?: string;
};

export function askOf(
  asked: Asked,
  { digest, labels }: Pick<Ruling, 'digest' | 'labels'>,
  { id, at, evidenceUntil, waitUntil, rq }: AskParts,
): Ask {
  const { definition, target } = asked.plan;
  const ask: Ask = {
    op: 'ask',
    id,
    at,
    w: definition.name,
    d: digest,
    t: targetRef(target, labels),
    p: asked.planDigest,
    eu: evidenceUntil,
    by: callerRef(asked.caller),
    ...(asked.episode === null ? {} : { e: asked.episode }),
    ...(asked.dryRun ? { dry: true as const } : {}),
    ...(waitUntil === undefined ? {} : { wt: waitUntil }),
    ...(rq === undefined ? {} : { rq }),
  };
  return rq === undefined ? forTheRecord(ask, asked) : again(ask);
}

/** Whether this is the ask of that request: by its id, by the id's digest, or by the operation's own, which is made from it. */
export function asksFor({ id, rq, by, q }: Ask, request: string): boolean {
  const first = rq ?? id;
  if (q === request || q === shortDigestOf(request) || first === request) return true;
  return by !== undefined && first === askId(by, request);
}

/**
 * Under which request id, and told by what, is for the record alone, and said as far as there is room: the source first, since the request
 * can be recognised by the operation's own id (`asksFor`), unless the caller's text is cut short.
 */
function forTheRecord(ask: Ask, { request, evidence, caller }: Asked): Ask {
  const sources = [evidence.source.slice(-MAX_SOURCE), evidence.source.slice(-MAX_SOURCE / 2)];
  const requests = [...(request.length <= MAX_REQUEST ? [request] : []), shortDigestOf(request)];
  return ask.by === caller
    ? firstThatFits(firstThatFits(ask, 'ev', sources), 'q', requests)
    : firstThatFits(firstThatFits(ask, 'q', requests), 'ev', sources);
}

/** Whoever asks again sees nothing anew: of its episode only the name counts. */
const again = (ask: Ask): Ask =>
  fits(ask) || ask.e === undefined ? ask : { ...ask, e: { id: ask.e.id, ob: '', b: 0, gap: 0 } };

const fits = (ask: Ask): boolean => Buffer.byteLength(JSON.stringify(ask)) <= MAX_OPERATION_BYTES;

function firstThatFits(ask: Ask, key: 'ev' | 'q', values: readonly string[]): Ask {
  return values.map((value): Ask => ({ ...ask, [key]: value })).find(fits) ?? ask;
}
