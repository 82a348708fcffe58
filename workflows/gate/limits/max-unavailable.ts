/**
 * The health floor: of the inventory's nodes of this scope, at most `v` (or `v` percent, rounded down) are down or being changed by any
 * workflow, the target included (docs/protocol.md §3.3).
 */
import { scopeKey } from '../counts.ts';
import type { LimitKind } from './limit.ts';

export const maxUnavailable: LimitKind = {
  waits: true,
  judge: (limit, { fleet, target, heldUp, isHeld, now, ahead }) => {
    const seen = fleet.seen(now);
    if (seen === null) return { allowed: limit.v, current: 0, full: true, free: null, unknown: true };
    const key = scopeKey(limit.s, target);
    const said = seen.counts.get(key);
    // What nobody's inventory knows has no floor that could be kept.
    if (said === undefined) return { allowed: limit.v, current: 0, full: true, free: null, unknown: true };
    const { total, down } = said;
    const allowed = limit.pc === true ? Math.floor((total * limit.v) / 100) : limit.v;
    const current = down + heldUp(key);
    // A node that is down or held already is no further loss.
    const counted = target.k === 'n' && target.n !== undefined && (seen.down.has(target.n) || isHeld(target.n));
    return { allowed, current, full: current + (counted ? 0 : 1) + ahead > allowed, free: null };
  },
};
