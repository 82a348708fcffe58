/** A hold ends on proof: no host acts before its lease was admitted or after it ended. A lease that a person freed is that person's word. */
import type { Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';

/** Between the clocks of hosts and server. */
const CLOCKS_MS = 1_000;

export const actingOutsideLease = (facts: Facts): Finding[] =>
  facts.acting.flatMap(({ lease, from, to }): Finding[] => {
    const { name, ended, admitted } = lease;
    if (from + CLOCKS_MS < admitted.at) {
      const what = `its host began to act ${admitted.at - from} ms before it was admitted`;
      return [{ kind: 'acting-outside-lease', at: from, subject: name, what }];
    }
    if (ended === null || ended.how === 'free' || to <= ended.at + CLOCKS_MS) return [];
    const what = `its host was acting until ${to - ended.at} ms after its lease had ended (${ended.how})`;
    return [{ kind: 'acting-outside-lease', at: to, subject: name, what }];
  });
