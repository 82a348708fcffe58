/** One order under a fault: what was told of it beside what happened on the host, and what is wrong with that. */
import type { Outcome, StepResult } from '../../workflows/contract.ts';

export type Trial = {
  /** What was done and when, for people. */
  readonly point: string;
  readonly execution: string;
  /** How often the action began and ended by itself, by lines that it wrote itself. */
  readonly begun: number;
  readonly ended: number;
  /** Null: the execution did not end while it was waited for. */
  readonly outcome: Outcome | null;
  /** Of the step's last attempt. */
  readonly status: StepResult['status'] | null;
  readonly message: string | null;
  /** The fault ends the action itself (a power cut, say): nobody can know more than that it began. */
  readonly actionMayDie: boolean;
  /** The host was out of reach for longer than the execution waits; its limits were held until it answered again. */
  readonly provenLater: boolean;
};

export const FLAWS = ['twice', 'lost', 'unexplained'] as const;
export type Flaw = { readonly kind: (typeof FLAWS)[number]; readonly what: string };

/** What must not be, for actions of which each may run once. */
export function flawsOf(trial: Trial): Flaw[] {
  const { begun, ended, outcome, status } = trial;
  const flaws: Flaw[] = [];
  const flaw = (kind: Flaw['kind'], what: string): void => void flaws.push({ kind, what: `${trial.point}: ${what}` });
  if (begun > 1) flaw('twice', `the action began ${begun} times`);
  if (ended > 0 && !knows(status) && !(status === 'unsettled' && trial.provenLater))
    flaw('lost', `the action ended, and ${status ?? 'nothing'} was told`);
  if (outcome === null) flaw('unexplained', 'the execution has no end');
  if (status === 'done' && ended === 0) flaw('unexplained', 'done was told of an action that did not end');
  if (begun > 0 && (outcome === 'expired' || status === 'refused' || status === 'no_permit'))
    flaw('unexplained', `${outcome} (${status}) was told of an action that began`);
  if (status === 'unsettled' && !trial.provenLater) flaw('unexplained', `the host never told: ${trial.message}`);
  if (status === 'unknown' && begun > 0 && ended === 0 && !trial.actionMayDie)
    flaw('unexplained', `an action that nothing ended is unknown: ${trial.message}`);
  return flaws;
}

const knows = (status: Trial['status']): boolean => status === 'done' || status === 'failed';

/** One row of the table. */
export type DrillResult = {
  readonly drill: string;
  /** What was done to it. */
  readonly did: string;
  readonly orders: number;
  /** Actions that began on the host. */
  readonly actions: number;
  /** Ends of actions that the coordinator told as they were. */
  readonly told: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly twice: number;
  readonly lost: number;
  readonly unexplained: number;
  readonly forged_believed: number;
  /** One line for each thing that must not be. */
  readonly findings: readonly string[];
  /** What happened, in a sentence or two. */
  readonly happened: string;
};

export type Told = {
  readonly drill: string;
  readonly did: string;
  readonly trials: readonly Trial[];
  readonly happened: string;
  /** Forgeries that were taken for true. */
  readonly believed?: readonly string[];
  /** What else was not as it must be. */
  readonly findings?: readonly string[];
};

export function resultOf({ drill, did, trials, happened, believed = [], findings = [] }: Told): DrillResult {
  const flaws = trials.flatMap(flawsOf);
  const count = (kind: Flaw['kind']): number => flaws.filter((flaw) => flaw.kind === kind).length;
  const outcomes: Record<string, number> = {};
  for (const { outcome, status } of trials) {
    const name = outcome === 'failed' && status !== null ? `failed (${status})` : (outcome ?? 'no end');
    outcomes[name] = (outcomes[name] ?? 0) + 1;
  }
  return {
    drill,
    did,
    orders: trials.length,
    actions: trials.reduce((sum, trial) => sum + trial.begun, 0),
    told: trials.filter((trial) => trial.ended > 0 && knows(trial.status)).length,
    outcomes,
    twice: count('twice'),
    lost: count('lost'),
    unexplained: count('unexplained'),
    forged_believed: believed.length,
    findings: [...flaws.map(({ what }) => what), ...believed, ...findings],
    happened,
  };
}
