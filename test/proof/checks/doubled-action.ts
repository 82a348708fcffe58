/** An attempt of a step begins on a host at most once, and only by a permit: by receipts, by executions, and by what commands wrote. */
import type { Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';
import type { LeaseLife } from '../ledger.ts';

const attemptName = (one: { step: string; attempt: number }): string => `${one.step}/${one.attempt}`;

export const doubledAction = (facts: Facts): Finding[] => [
  ...bySignature(facts),
  ...byEffect(facts),
  ...byPermit(facts),
];

/** Two receipts of one attempt that both began, or of one attempt at two times. */
function bySignature(facts: Facts): Finding[] {
  const began = facts.record.actions.filter((action) => action.began !== null);
  return [...Map.groupBy(began, (action) => `${action.execution}/${attemptName(action)}`)].flatMap(([name, all]) => {
    const times = [...new Set(all.map((one) => one.began ?? 0))].toSorted((a, b) => a - b);
    const [first = 0, second] = times;
    if (second === undefined) return [];
    return [
      {
        kind: 'doubled-action',
        at: second,
        subject: name,
        what: `begun at ${stamp(first)} and again at ${stamp(second)}`,
      },
    ];
  });
}

const stamp = (at: number): string => new Date(at).toISOString();

/** Commands wrote more beginnings under a mark than attempts were permitted. */
function byEffect(facts: Facts): Finding[] {
  const permitted = new Map<string, number>();
  for (const lease of facts.ledger.leases) {
    for (const mark of marksOf(facts, lease)) {
      const attempts = Map.groupBy(lease.permits, ({ step }) => step);
      for (const [step, all] of attempts) {
        const known = permitted.get(`${mark} ${step}`) ?? 0;
        permitted.set(`${mark} ${step}`, known + new Set(all.map(attemptName)).size);
      }
    }
  }
  const begun = facts.record.effects.filter(({ phase }) => phase === 'begin');
  return [...Map.groupBy(begun, ({ mark, step }) => `${mark} ${step}`)].flatMap(([key, all]) => {
    const allowed = permitted.get(key) ?? 0;
    if (all.length <= allowed) return [];
    const what = `its command ran ${all.length} times on ${[...new Set(all.map(({ node }) => node))].join(', ')}; attempts permitted: ${allowed}`;
    return [{ kind: 'doubled-action', at: all.at(-1)?.at ?? 0, subject: key, what }];
  });
}

const marksOf = (facts: Facts, lease: LeaseLife): string[] => [
  ...new Set(facts.executions.get(lease.name)?.flatMap(({ input }) => (input?.mark ? [input.mark] : []))),
];

/** Each receipt of something begun answers a permit on record, and began in its time. */
function byPermit(facts: Facts): Finding[] {
  const nonces = new Map(facts.ledger.leases.flatMap((lease) => lease.permits.map((permit) => [permit.nonce, permit])));
  const reaches = facts.record.whole ? 0 : (facts.record.journal[0]?.at ?? Number.POSITIVE_INFINITY);
  return facts.record.actions.flatMap((action): Finding[] => {
    const { began, nonce, execution } = action;
    if (began === null || began < reaches) return [];
    const permit = nonces.get(nonce);
    const subject = `${execution}/${attemptName(action)}`;
    if (permit === undefined)
      return [{ kind: 'doubled-action', at: began, subject, what: 'begun without a permit on record' }];
    if (began <= permit.beginBy + CLOCKS_MS) return [];
    const what = `begun ${began - permit.beginBy} ms after its permit had run out`;
    return [{ kind: 'doubled-action', at: began, subject, what }];
  });
}

const CLOCKS_MS = 1_000;
