import { ApiError, CoordinatorUnreachableError } from '../identity/coordinator-client.ts';
import { CommandError, EXIT } from './exit-code.ts';

/** Who the caller is to the coordinator: a SPIFFE id, or null without a certificate. */
export type Presented = string | null;

/** What a failed call means for a person: exit code, and what to type next. Other errors are given back as they are. */
export function explainFailure(error: unknown, presented: Presented): unknown {
  if (error instanceof CoordinatorUnreachableError) {
    return new CommandError(EXIT.noDecision, error.message, 'fettle doctor', { cause: error });
  }
  if (!(error instanceof ApiError)) return error;
  const { status, message } = error;
  const to = (exit: CommandError['exit'], next: string, text = message): CommandError =>
    new CommandError(exit, `${text.replace(/[.;\s]+$/, '')} (${error.code})`, next, { cause: error });
  if (error.code === 'same_person') return to(EXIT.notAuthorised, 'somebody else: fettle approve with the same id');
  if (status === 401 || status === 403)
    return to(EXIT.notAuthorised, 'fettle doctor', `${message}; ${whoMustBeNamed(presented)}`);
  if (status === 404) return to(EXIT.failed, nextForUnknown(error.code));
  if (status === 409 || status === 410) return to(EXIT.refused, nextForRefused(error.code));
  if (status === 503 || status === 429) return to(EXIT.noDecision, nextForUnavailable(error));
  if (status < 500) return to(EXIT.usage, nextForInvalid(error.code));
  return to(EXIT.failed, 'fettle status');
}

function whoMustBeNamed(presented: Presented): string {
  const rules =
    "in the coordinator's configuration a route_rule must open the route and a workflow_rule, if there are any, the workflow";
  if (presented === null) return `you showed no certificate (--cert, --key); ${rules} to anonymous callers`;
  return `you are ${presented}; ${rules} to that id`;
}

function nextForUnknown(code: string): string {
  if (code === 'unknown_scope') return 'fettle nodes, or: fettle workflows';
  if (code === 'unknown_pause') return 'fettle status';
  if (code === 'unknown_window') return 'fettle window list';
  if (code === 'unknown_pending') return 'fettle ps';
  if (code.includes('workflow')) return 'fettle workflows';
  if (code.includes('target') || code.includes('node')) return 'fettle nodes';
  return code.includes('execution') ? 'fettle ps --all' : 'fettle status';
}

function nextForRefused(code: string): string {
  if (code === 'already_ended') return 'fettle show with its id';
  if (code === 'window_of_file') return 'fettle window list -o wide';
  if (code === 'plan_differs' || code === 'already_decided' || code === 'no_approval_needed')
    return 'fettle show with its id';
  return code === 'request_id_reused' ? 'the same command with another --request-id' : 'the same command anew';
}

function nextForInvalid(code: string): string {
  if (code.includes('argument')) return 'fettle workflows -o json';
  if (code.includes('target')) return 'fettle nodes';
  if (code === 'window') return 'fettle window add --help';
  return code.includes('execution') ? 'fettle ps --all' : 'fettle run --help';
}

function nextForUnavailable({ retryAfterS, code }: ApiError): string {
  if (code === 'no_agent') return 'fettle nodes';
  if (code === 'not_started') return 'fettle ps';
  return retryAfterS === null ? 'fettle status' : `it again in ${retryAfterS} s, or: fettle status`;
}
