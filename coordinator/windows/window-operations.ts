/** `window` blocks as the gate knows them: closures that end within five minutes unless they are announced again. */
import { closedIntervals } from '../../config/window-times.ts';
import type { WindowConfig } from '../../config/window.ts';
import { joined, type Interval } from '../../config/intervals.ts';
import { shortDigestOf } from '../digest.ts';
import { MAX_OPERATION_BYTES, type Window, type WindowScope } from '../../workflows/gate/operations.ts';

/** A closure is announced for so long, so that it outlives the coordinators that announced it by no more. */
const ANNOUNCED_MS = 5 * 60_000;
/** The gate keeps one closure of a name: two that lie closer together than two announcements do are announced as one. */
const JOIN_MS = 2 * 60_000;

/** A closure that is on is told with its beginning, so that a clock that is ahead of the gate's opens no crack. */
const BEHIND_MS = 24 * 3_600_000;

const MAX_REASON = 60;

type From = {
  /** The coordinator's name. */
  readonly by: string;
  readonly now: number;
  /** A calendar's rules cannot be followed any more. The window then counts as closed. */
  readonly onTrouble: (window: string, error: unknown) => void;
};

/** What to announce now: of each block the closure that is on, or else the next that begins within five minutes. */
export function windowOperations(windows: readonly WindowConfig[], from: From): readonly Window[] {
  return windows.flatMap((window) => {
    const within = { from: from.now - BEHIND_MS, until: from.now + ANNOUNCED_MS };
    const closed = joined(closedOr(window, within, from), JOIN_MS);
    const closure = closed.find(({ until }) => until > from.now);
    return closure === undefined ? [] : operationsOf(window, closure, from);
  });
}

function closedOr(window: WindowConfig, within: Interval, { onTrouble }: From): readonly Interval[] {
  try {
    return closedIntervals(window, within);
  } catch (error) {
    onTrouble(window.name, error);
    return [within];
  }
}

/** More than one when the block names more than fits an operation; each covers a part of what it is about. */
function operationsOf(window: WindowConfig, closure: Interval, { by, now }: From): readonly Window[] {
  const operation = (scope: WindowScope, part: number): Window => {
    const name = `file:${window.name}${part === 0 ? '' : `/${part + 1}`}`;
    return {
      op: 'window',
      id: `w:${shortDigestOf([by, name, now])}`,
      at: now,
      nm: name,
      sc: scope,
      f: closure.from,
      u: closure.until,
      src: 'f',
      by: by.slice(0, 40),
      ...(window.reason === null ? {} : { why: window.reason.slice(0, MAX_REASON) }),
    };
  };
  const fits = (scope: WindowScope): boolean =>
    Buffer.byteLength(JSON.stringify(operation(scope, 99))) <= MAX_OPERATION_BYTES;
  const scope = scopeOf(window);
  const [longest] = Object.entries(scope).toSorted(([, a], [, b]) => b.join().length - a.join().length);
  if (longest === undefined) return [operation(scope, 0)];
  return parts(scope, longest[0], longest[1], fits).map(operation);
}

const scopeOf = ({ workflows, nodeTypes, datacenters, nodes }: WindowConfig): WindowScope => ({
  ...(workflows.length === 0 ? {} : { w: workflows }),
  ...(nodeTypes.length === 0 ? {} : { y: nodeTypes }),
  ...(datacenters.length === 0 ? {} : { c: datacenters }),
  ...(nodes.length === 0 ? {} : { n: nodes }),
});

/** A target fits a scope when it fits each of its lists, so halving one list gives two scopes that together cover the same. */
function parts(
  scope: WindowScope,
  key: string,
  list: readonly string[],
  fits: (scope: WindowScope) => boolean,
): readonly WindowScope[] {
  const one = { ...scope, [key]: list };
  if (list.length === 1 || fits(one)) return [one];
  const middle = Math.ceil(list.length / 2);
  return [list.slice(0, middle), list.slice(middle)].flatMap((half) => parts(scope, key, half, fits));
}
