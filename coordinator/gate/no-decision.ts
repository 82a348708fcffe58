import { ApiFailure } from '../service.ts';
import { GateUnavailableError } from './gate-client.ts';

/** What a caller is told when the gate gave no answer. */
export const unavailable = (error: unknown): unknown =>
  error instanceof GateUnavailableError
    ? new ApiFailure(503, error.code, error.message, { retryAfterS: 5, cause: error })
    : error;
