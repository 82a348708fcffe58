import type { GrantClaims } from '../../workflows/contract.ts';
import { attemptKey } from '../ledger.ts';

/**
 * Which attempts this process may have handed to the helper. A courier can deliver one order many times, and keep the helper's door
 * shut with some of them: that one delivery found it shut says nothing about the others.
 */
export type HandedOver = {
  readonly note: (claims: GrantClaims) => void;
  /** That no delivery of it was handed over, by this process or an earlier one. To be asked when it is too late to begin. */
  readonly neverWas: (claims: GrantClaims) => boolean;
};

/** How far coordinators' clocks may differ from this host's. */
const SKEW_MS = 5000;
/** Beyond begin-by, for deliveries that are judged late. */
const KEEP_MS = 15 * 60_000;

/** @param startedAt when this process began; milliseconds. Of what was signed before, an earlier one may know more. */
export function createHandedOver(startedAt: number): HandedOver {
  const handed = new Map<string, number>();
  return {
    note(claims) {
      for (const [key, until] of handed) if (until < Date.now()) handed.delete(key);
      handed.set(attemptKey(claims), Math.max(Date.now(), claims.begin_by) + KEEP_MS);
    },
    neverWas: (claims) => claims.iat * 1000 > startedAt + SKEW_MS && !handed.has(attemptKey(claims)),
  };
}
