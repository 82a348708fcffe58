/** Words that help and parsers share, apart from what loads a workflow engine. */
import type { Outcome } from '../workflows/contract.ts';

/** How an execution may end. */
export const OUTCOMES = [
  'healed',
  'no_fault',
  'ineffective',
  'failed',
  'cancelled',
  'expired',
  'refused_by_agent',
  'dry_run',
] as const satisfies readonly Outcome[];

/** `healthy` and `unhealthy` are for verify; `cancelled`: a person cancels while the step is at work. */
export const FAKE_WORDS = [
  'done',
  'failed',
  'timeout',
  'refused',
  'unknown',
  'unsettled',
  'no_permit',
  'cancelled',
  'healthy',
  'unhealthy',
] as const;
