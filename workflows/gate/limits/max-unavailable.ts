/**
 * The health floor: of the inventory's nodes of this scope, at most `v` (or `v` percent, rounded down) are down or being changed by any
 * workflow, the target included (docs/protocol.md §3.3).
 */
import { scopeKey } from '../counts.ts';
import type { View } from '../fleet.ts';
import type { LimitRef } from '../operations.ts';
import type { LimitKind, Look } from './limit.ts';

export const maxUnavailable: LimitKind = {
  waits: true,
  judge: (limit, look) => {
    const key = scopeKey(limit.s, look.target);
    let worst: Finding | null = null;
    for (const [index, view] of look.fleet.seen(look.now).entries()) {
      const found = findingOf(limit, look, view, index, key);
      if (found !== null && (worst === null || isWorse(found, worst))) worst = found;
    }
    // Nobody has reported for a minute, or no inventory knows such nodes: there is no floor that could be kept.
    if (worst === null) return { allowed: limit.v, current: 0, full: true, free: null, unknown: true };
    const { allowed, current, over } = worst;
    return { allowed, current, full: over + look.ahead > 0, free: null };
  },
};

/** By one coordinator's view: how far beyond the floor this request would go. */
type Finding = { readonly allowed: number; readonly current: number; readonly over: number };

function findingOf(limit: LimitRef, look: Look, view: View, index: number, key: string): Finding | null {
  const said = view.counts.get(key);
  if (said === undefined) return null;
  const { target, heldUp, isHeld } = look;
  const allowed = limit.pc === true ? Math.floor((said.total * limit.v) / 100) : limit.v;
  const current = said.down + heldUp(index, key);
  // A node that is down or held already is no further loss.
  const counted = target.k === 'n' && target.n !== undefined && (view.down.has(target.n) || isHeld(target.n));
  return { allowed, current, over: current + (counted ? 0 : 1) - allowed };
}

const isWorse = (a: Finding, b: Finding): boolean =>
  a.over > b.over ||
  (a.over === b.over && (a.current > b.current || (a.current === b.current && a.allowed < b.allowed)));
