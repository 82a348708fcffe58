/** One thing that must not be. */
export type FindingKind =
  | 'concurrency'
  | 'max-execution'
  | 'cooldown'
  | 'max-unavailable'
  | 'max-ineffective'
  | 'one-per-node'
  | 'acting-outside-lease'
  | 'paused'
  | 'closed-window'
  | 'unapproved'
  | 'unadmitted'
  | 'never-started'
  | 'doubled-action'
  | 'doubled-episode'
  | 'contradiction'
  | 'lost';

export type Finding = {
  readonly kind: FindingKind;
  readonly at: number;
  /** Execution, lease, request or node. */
  readonly subject: string;
  readonly what: string;
};

/** More was let through than a limit allows. */
export const OVER_ADMISSIONS: ReadonlySet<FindingKind> = new Set<FindingKind>([
  'concurrency',
  'max-execution',
  'cooldown',
  'max-unavailable',
  'max-ineffective',
  'one-per-node',
  'paused',
  'closed-window',
  'unapproved',
]);
/** Something was done, or begun, twice. */
export const DOUBLED: ReadonlySet<FindingKind> = new Set<FindingKind>(['doubled-action', 'doubled-episode']);
