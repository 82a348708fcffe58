import { errorMessage } from '../identity/error-message.ts';
import type { ApiDecision, ApiEpisodeAnswer, ApiEpisodeReport, ApiRequest } from '../workflows/api.ts';

/** What the trigger daemon needs of a coordinator. Calls have their own deadline; a failed one throws what `readFailure` can read. */
export type CoordinatorPort = {
  readonly request: (body: ApiRequest, options?: CallOptions) => Promise<ApiDecision>;
  readonly reportEpisode: (report: ApiEpisodeReport, options?: CallOptions) => Promise<ApiEpisodeAnswer>;
};

type CallOptions = { readonly signal?: AbortSignal | undefined };

export type PortFailure = {
  /** Whether the same message may get through later. */
  readonly retry: boolean;
  readonly code: string;
  readonly message: string;
  readonly retryAfterS: number | null;
};

/** Reads an error of a client by its `status`, `code`, `retryAfterS` and `unreachable`; what has no status never got an answer. */
export function readFailure(error: unknown): PortFailure {
  const field = (name: string): unknown =>
    typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;
  const [status, code, wait] = [field('status'), field('code'), field('retryAfterS')];
  const message = errorMessage(error);
  return {
    retry:
      field('unreachable') === true || typeof status !== 'number' || status === 408 || status === 429 || status >= 500,
    code: typeof code === 'string' ? code : typeof status === 'number' ? `http_${status}` : 'unreachable',
    message: message.slice(0, 500),
    retryAfterS: typeof wait === 'number' && Number.isFinite(wait) && wait >= 0 ? wait : null,
  };
}
