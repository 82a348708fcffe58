/** Every check there is; each looks at the record alone and stands in a file of its own. */
import { factsOf, type Facts } from '../facts.ts';
import type { Finding } from '../finding.ts';
import type { ProofRecord } from '../record.ts';
import { actingOutsideLease } from './acting-outside-lease.ts';
import { closedWindow } from './closed-window.ts';
import { concurrency } from './concurrency.ts';
import { contradictions } from './contradictions.ts';
import { cooldown } from './cooldown.ts';
import { doubledAction } from './doubled-action.ts';
import { doubledEpisode } from './doubled-episode.ts';
import { lost } from './lost.ts';
import { maxExecution } from './max-execution.ts';
import { maxIneffective } from './max-ineffective.ts';
import { maxUnavailable } from './max-unavailable.ts';
import { neverStarted } from './never-started.ts';
import { onePerNode } from './one-per-node.ts';
import { paused } from './paused.ts';
import { unadmitted } from './unadmitted.ts';
import { unapproved } from './unapproved.ts';

const CHECKS: readonly ((facts: Facts) => Finding[])[] = [
  concurrency,
  maxExecution,
  cooldown,
  maxUnavailable,
  maxIneffective,
  onePerNode,
  actingOutsideLease,
  paused,
  closedWindow,
  unapproved,
  unadmitted,
  neverStarted,
  doubledAction,
  doubledEpisode,
  contradictions,
  lost,
];

export function checkRecord(record: ProofRecord): Finding[] {
  const facts = factsOf(record);
  return CHECKS.flatMap((check) => check(facts)).toSorted((a, b) => a.at - b.at);
}
