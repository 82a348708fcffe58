import type { AgentRefusal } from '../workflows/contract.ts';

/** Why this agent does not do what it was asked. Becomes a signed receipt with `status: 'refused'`, never a failed activity. */
export class RefusalError extends Error {
  override readonly name = 'RefusalError';
  readonly code: AgentRefusal;
  constructor(code: AgentRefusal, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
