import { ApiFailure } from '../service.ts';
import { GateUnavailableError } from './gate-client.ts';

/** What a caller is told when the gate gave no answer; any other failure stays what it is. */
export const unavailable = (error: unknown): unknown =>
  error instanceof GateUnavailableError ? unanswered(error.code, error.message, error) : error;

/** The same where a decision was asked for: whatever failed, there is none. */
export const noDecision = (error: unknown): ApiFailure =>
  error instanceof GateUnavailableError
    ? unanswered(error.code, error.message, error)
    : unanswered('no_decision', 'no decision could be taken; ask again with the same request_id', error);

const unanswered = (code: string, message: string, cause: unknown): ApiFailure =>
  new ApiFailure(503, code, message, { retryAfterS: 5, cause });
