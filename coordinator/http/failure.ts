import { ApiFailure } from '../service.ts';
import { isNamespaceMissing, TemporalUnreachableError } from '../temporal.ts';
import type { ApiError } from '../../workflows/api.ts';

/** A refusal that HTTP itself gives, before a service is asked. Same body as `ApiFailure`, more statuses. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  readonly status: number;
  readonly code: string;
  readonly details: unknown;
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    status: number,
    code: string,
    message: string,
    more: { readonly details?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = more.details;
    this.headers = more.headers ?? {};
  }
}

export type Answer = { readonly status: number; readonly headers: Record<string, string>; readonly body: ApiError };

/** Temporal is asked again no sooner, seconds. */
const AWAY_S = 5;

/** What a caller is told about an error. Anything unforeseen becomes a bare 500: its text is for the log only. */
export function failureAnswer(error: unknown): Answer {
  if (error instanceof ApiFailure) {
    const { status, code, message, details, retryAfterS } = error;
    return answer(status, code, message, details, retryAfterS === null ? {} : retryAfter(retryAfterS));
  }
  if (error instanceof HttpFailure)
    return answer(error.status, error.code, error.message, error.details, error.headers);
  if (error instanceof TemporalUnreachableError)
    return answer(503, 'temporal_unreachable', `${error.message}; ask again shortly`, undefined, retryAfter(AWAY_S));
  if (isNamespaceMissing(error))
    return answer(
      503,
      'gate_missing',
      'Temporal is not set up for Fettle; run: fettle setup temporal',
      undefined,
      retryAfter(AWAY_S),
    );
  return answer(500, 'internal', 'the coordinator failed to answer; its log says why', undefined, {});
}

/** `Retry-After` in whole seconds, never 0: that would be a loop. */
export const retryAfter = (seconds: number): { 'retry-after': string } => ({
  'retry-after': String(Math.max(1, Math.ceil(seconds))),
});

export function toResponse({ status, headers, body }: Answer): Response {
  return new Response(JSON.stringify(body), { status, headers: { ...headers, 'content-type': 'application/json' } });
}

function answer(
  status: number,
  code: string,
  message: string,
  details: unknown,
  headers: Readonly<Record<string, string>>,
): Answer {
  return { status, headers: { ...headers }, body: { code, message, ...(details === undefined ? {} : { details }) } };
}
