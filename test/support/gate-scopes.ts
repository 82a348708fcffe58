/** Targets that share a limit's scope, and one that shares none but the fleet. */
import type { Scope } from '../../workflows/contract.ts';
import type { TargetRef } from '../../workflows/gate/operations.ts';
import { node } from './gate-driver.ts';

export const SCOPES = ['target', 'node', 'node_type', 'datacenter', 'global', 'label:rack'] as const satisfies Scope[];

export const here = node('web-1', { l: { rack: 'r1' } });
export const elsewhere = node('db-9', { y: 'db', c: 'dc2', l: { rack: 'r2' } });

/** Differs from `here` as much as the scope lets it. */
export function sharing(scope: (typeof SCOPES)[number]): TargetRef {
  const other = { k: 'n', n: 'x-1', y: 'x', c: 'dc9', l: { rack: 'r9' } } as const;
  switch (scope) {
    case 'node_type':
      return { ...other, y: 'web' };
    case 'datacenter':
      return { ...other, c: 'dc1' };
    case 'label:rack':
      return { ...other, l: { rack: 'r1' } };
    case 'global':
      return other;
    default:
      return { ...other, n: 'web-1' };
  }
}
