/**
 * What Fettle asks of a place where metrics are kept. Every look ends in exactly one of three states, and a caller has to name the
 * one it wants: a failed or a partial look is neither "true" nor "false".
 */

export type Sample = {
  /** `__name__`, or null where an expression has dropped it. */
  readonly name: string | null;
  /** All labels but `__name__`. Hostile text: whoever can push a metric writes them. */
  readonly labels: Readonly<Record<string, string>>;
  /** May be infinite or NaN. */
  readonly value: number;
  /** Milliseconds since the epoch. Of an instant query: when it was evaluated, not when the series was scraped. */
  readonly at: number;
};

export type SourceAlert = {
  /** With `alertname`, without the server's external labels. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
  /** When the expression began to hold, milliseconds since the epoch. */
  readonly activeAt: number;
  readonly value: number;
};

export type AlertingRule = {
  readonly name: string;
  readonly group: string;
  readonly file: string;
  readonly query: string;
  /** The rule's own `for`, milliseconds. */
  readonly forMs: number;
  /** How often its group is evaluated, milliseconds. */
  readonly intervalMs: number;
  /** `ok`, `err`, or `unknown` before its first evaluation. */
  readonly health: string;
  readonly lastError: string | null;
  /** Milliseconds since the epoch; null when it was never evaluated. */
  readonly lastEvaluation: number | null;
  readonly alerts: readonly SourceAlert[];
};

export type MetricFailureKind =
  /** The expression or its parameters are wrong, or it needs more than the server allows. */
  | 'query'
  /** 401, 403. */
  | 'denied'
  /** The address leads elsewhere: 404, a redirect, a page of HTML with status 200. */
  | 'not_prometheus'
  /** Asked to slow down, or not ready. */
  | 'unavailable'
  | 'server'
  /** No whole answer within the deadline. */
  | 'deadline'
  | 'aborted'
  | 'network'
  | 'tls'
  | 'too_large'
  /** JSON that ends early, or is not what the API promises. */
  | 'malformed'
  /** A token, password, certificate or key file cannot be read. */
  | 'credentials'
  /** The result is not an instant vector. */
  | 'result_type'
  /** No alerting rule has the name that was asked for. */
  | 'no_rule';

/** A look that gave nothing to go by. Carries no credentials and no client configuration, so it may be logged as it is. */
export class MetricSourceError extends Error {
  override readonly name = 'MetricSourceError';
  readonly kind: MetricFailureKind;
  /** HTTP status, when there was an answer. */
  readonly http: number | null;
  /** Whether the same question may succeed later without anybody changing anything. */
  readonly retryable: boolean;
  constructor(kind: MetricFailureKind, message: string, more: { http?: number | null; retryable?: boolean } = {}) {
    super(message);
    this.kind = kind;
    this.http = more.http ?? null;
    this.retryable = more.retryable ?? RETRYABLE.has(kind);
  }
}

const RETRYABLE: ReadonlySet<MetricFailureKind> = new Set([
  'unavailable',
  'server',
  'deadline',
  'network',
  'malformed',
  'credentials',
] as const);

export type Look<T> =
  | {
      readonly state: 'answer';
      readonly value: T;
      /** The server's own clock as it answered, milliseconds; null when the answer does not say. */
      readonly evaluatedAt: number | null;
      /** Remarks about the expression that do not make the answer less whole. */
      readonly infos: readonly string[];
    }
  /** The server says that something is missing from its answer. What is there is not handed out: it would be taken for the whole. */
  | { readonly state: 'partial'; readonly warnings: readonly string[] }
  | { readonly state: 'failed'; readonly failure: MetricSourceError };

export type AskOptions = { readonly signal?: AbortSignal | undefined };

/** All methods answer with a state and never reject. */
export type MetricSource = {
  /** `prometheus.main` */
  readonly address: string;
  /** Evaluates `promql` now, by the server's clock. Native histograms have no single value and make the answer partial. */
  readonly query: (promql: string, options?: AskOptions) => Promise<Look<readonly Sample[]>>;
  /** Pending and firing alerts of all rules. Says nothing about the health of the rules: see `alertingRules`. */
  readonly alerts: (options?: AskOptions) => Promise<Look<readonly SourceAlert[]>>;
  /** Alerting rules with their health and alerts; with `name`, those of that name only, from whatever groups. */
  readonly alertingRules: (
    options?: AskOptions & { readonly name?: string | undefined },
  ) => Promise<Look<readonly AlertingRule[]>>;
  /** Proves that expressions are evaluated: whether `vector(1)` is 1, and how far the server's clock is ahead of ours. */
  readonly ready: (options?: AskOptions) => Promise<Look<{ readonly clockAheadMs: number }>>;
  readonly close: () => void;
};

/** An answer whose clock is further than this from ours, milliseconds, says nothing about now. */
export const MAX_CLOCK_DIFFERENCE_MS = 30_000;

/** Why an answer given at `now` (our clock, milliseconds) is not about now; null when it is, or when it does not say. */
export function staleness(
  evaluatedAt: number | null,
  now: number,
  bound: number = MAX_CLOCK_DIFFERENCE_MS,
): string | null {
  if (evaluatedAt === null) return null;
  const apart = evaluatedAt - now;
  if (Math.abs(apart) <= bound) return null;
  const seconds = Math.round(Math.abs(apart) / 1000);
  return `the answer is of a clock ${seconds} s ${apart > 0 ? 'ahead of' : 'behind'} this host's; set both by NTP, or take out the cache between`;
}
