import type { AccessConfig, RouteRule, Verb } from '../config/coordinator.ts';
import type { SpiffeId } from '../config/spiffe-id.ts';
import { agentPlace } from '../workflows/contract.ts';
import type { Caller } from './service.ts';

/**
 * Who may do what: pure, default deny, and each answer with its reason. Route rules open doors; workflow rules say what may be done
 * behind them; source rules say whose word counts about a fault.
 */
export type AccessDecision =
  | { readonly allowed: true; readonly rule: string | null; readonly reason: string }
  | { readonly allowed: false; readonly reason: string };

export type RouteDecision =
  /** `skipLog`: a rule that lets this caller in hides the access-log line. */
  | { readonly allowed: true; readonly rule: string; readonly skipLog: boolean; readonly reason: string }
  | { readonly allowed: false; readonly reason: string };

/** What is to be done to: a workflow, and the types of all nodes it may touch. No types at all means the fleet as a whole. */
export type Subject = { readonly workflow: string; readonly nodeTypes: readonly string[] };

/** What agents' ids may use without any rule. */
export const AGENT_TOKEN_PATH = '/v1/agent-token';

/** The name that rules use for callers without a certificate. */
export const ANONYMOUS = 'anonymous';

export const callerText = (caller: Caller): string => (caller.kind === 'identified' ? caller.id.text : ANONYMOUS);

/** Whether a caller is an agent by its id: then it gets credentials here and can do nothing else, be a route open to everybody. */
const isAgent = (caller: Caller): boolean => caller.kind === 'identified' && agentPlace(caller.id.path) !== null;

/** The one route of agents. What they get there is for the route itself to say. */
function agentRoute(caller: Caller, method: string, path: string): RouteDecision {
  if (method === 'POST' && path === AGENT_TOKEN_PATH)
    return { allowed: true, rule: 'agents', skipLog: true, reason: 'an agent may get its token' };
  const reason = `${callerText(caller)} is an agent's id, which gets tokens at POST ${AGENT_TOKEN_PATH} and may do nothing else; use another certificate`;
  return { allowed: false, reason };
}

/** May this caller use this method on this path at all? `path` is the router's own. The first rule that lets it decides. */
export function mayUseRoute(access: AccessConfig, caller: Caller, method: string, path: string): RouteDecision {
  if (isAgent(caller)) return agentRoute(caller, method, path);
  const wanted = method === 'HEAD' ? 'GET' : method;
  const fits = access.routeRules.filter(
    (rule) => rule.method === wanted && rule.routePatterns.some((pattern) => matchesPath(pattern, path)),
  );
  const open = fits.filter((candidate) => lets(candidate, caller));
  const rule = open[0];
  if (rule !== undefined) {
    return {
      allowed: true,
      rule: rule.name,
      skipLog: open.some((match) => match.skipLogMatch),
      reason: `route rule "${rule.name}"`,
    };
  }
  const who = callerText(caller);
  const why =
    fits.length === 0
      ? `no route_rule covers ${wanted} ${path}`
      : `${fits.length === 1 ? 'the route_rule' : `none of the ${fits.length} route_rules`} for ${wanted} ${path} ${fits.length === 1 ? 'does not name' : 'names'} ${who}`;
  const remedy =
    caller.kind === 'anonymous'
      ? '; show a client certificate that a rule names'
      : '; ask whoever runs this coordinator';
  return { allowed: false, reason: why + remedy };
}

/**
 * May this caller do this to that workflow on nodes of these types? Without any workflow_rule every identified caller may, but
 * for breaking glass; an anonymous one only where a rule names `anonymous`.
 */
export function mayDo(access: AccessConfig, caller: Caller, verb: Verb, subject: Subject): AccessDecision {
  const who = callerText(caller);
  const what = `${verb} ${subject.workflow === '*' ? 'everything' : `"${subject.workflow}"`}`;
  if (access.workflowRules.length === 0) {
    if (verb === 'break_glass')
      return { allowed: false, reason: 'nobody may break glass unless a workflow_rule has the verb break_glass' };
    return caller.kind === 'identified'
      ? { allowed: true, rule: null, reason: 'no workflow_rule restricts identified callers' }
      : {
          allowed: false,
          reason: `a caller without a certificate may not ${what} unless a workflow_rule names "${ANONYMOUS}"`,
        };
  }
  const rules = access.workflowRules.filter(
    (rule) =>
      rule.verbs.includes(verb) &&
      names(rule.workflows, subject.workflow) &&
      rule.uris.some((uri) => matchesCaller(uri, caller)),
  );
  // Each node type must be opened by some rule; the fleet as a whole only by a rule for all types.
  const types = subject.nodeTypes.length === 0 ? ['*'] : subject.nodeTypes;
  const closed = types.filter((type) => !rules.some((rule) => names(rule.nodeTypes, type)));
  const first = rules[0];
  if (closed.length === 0 && first !== undefined) {
    return { allowed: true, rule: first.name, reason: `workflow_rule "${first.name}"` };
  }
  const where = types.includes('*') ? 'on nodes of every type' : `on nodes of type ${closed.join(', ')}`;
  return { allowed: false, reason: `no workflow_rule lets ${who} ${what} ${where}; ask whoever runs this coordinator` };
}

/**
 * May this caller speak for the faults of `source`, given as `SOURCE/TRIGGER`? A rule names the source (`prometheus.main`), the
 * whole of it, or `*`. Without any source_rule every identified caller may.
 */
export function maySpeakFor(access: AccessConfig, caller: Caller, source: string): AccessDecision {
  const who = callerText(caller);
  if (access.sourceRules.length === 0) {
    return caller.kind === 'identified'
      ? { allowed: true, rule: null, reason: 'no source_rule restricts identified callers' }
      : {
          allowed: false,
          reason: `a caller without a certificate may not speak for "${source}" unless a source_rule names "${ANONYMOUS}"`,
        };
  }
  const slash = source.indexOf('/');
  const address = slash === -1 ? source : source.slice(0, slash);
  const rule = access.sourceRules.find(
    ({ sources, uris }) =>
      (names(sources, source) || names(sources, address)) && uris.some((uri) => matchesCaller(uri, caller)),
  );
  if (rule !== undefined) return { allowed: true, rule: null, reason: `source_rule at line ${rule.place.line}` };
  return {
    allowed: false,
    reason: `no source_rule lets ${who} speak for "${source}"; ask whoever runs this coordinator`,
  };
}

/** `/a/b` exactly, or `/a/*`: one or more further segments. `/*` is every path. */
export function matchesPath(pattern: string, path: string): boolean {
  if (pattern === '/*') return true;
  if (!pattern.endsWith('/*')) return path === pattern;
  const prefix = pattern.slice(0, -1);
  return path.startsWith(prefix) && path.length > prefix.length;
}

/** Exact, or `*` as the whole last path segment: exactly one segment more, in the same trust domain. */
export function matchesId(pattern: string, id: SpiffeId): boolean {
  if (!pattern.endsWith('/*')) return id.text === pattern;
  const prefix = pattern.slice(0, -1);
  const rest = id.text.slice(prefix.length);
  return id.text.startsWith(prefix) && prefix.length > 'spiffe://'.length && rest !== '' && !rest.includes('/');
}

const matchesCaller = (pattern: string, caller: Caller): boolean =>
  caller.kind === 'anonymous' ? pattern === ANONYMOUS : matchesId(pattern, caller.id);

const lets = (rule: RouteRule, caller: Caller): boolean =>
  rule.allowPublic || (caller.kind === 'identified' && rule.uris.some((uri) => matchesId(uri, caller.id)));

const names = (list: readonly string[], wanted: string): boolean => list.includes('*') || list.includes(wanted);
