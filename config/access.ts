/** Who may do what: `server_config` with its route rules, `workflow_rule`, `source_rule`. Default deny. */
import type { AccessConfig, RouteRule, SourceRule, WorkflowRule } from './coordinator.ts';
import { everyOne } from './connections.ts';
import type { HclValue } from './hcl/decode.ts';
import type { Problems } from './problems.ts';
import { block, many, optional, placeFrom, required, withDefault, type Section } from './schema.ts';
import { hostPort, httpMethod, routePattern, spiffePattern } from './value-addresses.ts';
import { listOf } from './value-collections.ts';
import { name, word } from './value-names.ts';
import { bool, oneOf, text } from './value-types.ts';

const routeRuleBlock = block({
  doc: 'Opens a door: matches on method and path and (caller in `uris` or `allow_public`). What no rule matches is denied.',
  attributes: {
    name: required(text, 'Names the rule in logs.'),
    method: required(httpMethod, 'One HTTP method, in capitals.'),
    route_patterns: required(
      listOf(routePattern, { min: 1 }),
      'Paths; `*` as the whole last segment matches one or more further segments, `/*` matches everything.',
    ),
    uris: withDefault(
      listOf(spiffePattern({ anonymous: false })),
      'SPIFFE ids of callers; `*` as the whole last path segment matches any one segment there.',
      [],
      '[]',
    ),
    allow_public: withDefault(bool, 'Lets anybody in, with or without a certificate.', false, 'false'),
    skip_log_match: withDefault(
      bool,
      'Keeps allowed matches out of the access log; denials are always logged.',
      false,
      'false',
    ),
  },
});

export const serverConfigBlock = block({
  doc: 'The HTTP API and its doors. Route rules are read again when the file changes.',
  attributes: {
    enable_tls: withDefault(
      bool,
      'mTLS with SPIFFE SVIDs. `false` is for development and allowed on loopback addresses only.',
      true,
      'true',
    ),
    listen: optional(
      hostPort(0),
      'Where to listen. Default: `"0.0.0.0:7443"`, or `"127.0.0.1:7443"` with `enable_tls = false`.',
    ),
  },
  blocks: { route_rule: many(routeRuleBlock) },
});

const star = (what: string): ReturnType<typeof name> =>
  name(what, /^(?:\*|(?!\.{1,2}$)[A-Za-z0-9._-]{1,128})$/, `a ${what}, or "*" for all`);

const workflowRuleBlock = block({
  doc: 'Who may do what where. Without any such rule, every identified caller who passes the route rules may do everything; an anonymous caller may do none of it unless a rule names `"anonymous"`, and nobody may break glass unless a rule says so.',
  labels: [{ name: 'name', doc: 'Names the rule in logs.', type: word }],
  attributes: {
    workflows: required(listOf(star('workflow name'), { min: 1 }), 'Workflows, or `"*"`.'),
    node_types: withDefault(
      listOf(star('node type'), { min: 1 }),
      'Types of the target\'s node, or `"*"`.',
      ['*'],
      '["*"]',
    ),
    uris: required(
      listOf(spiffePattern({ anonymous: true }), { min: 1 }),
      'SPIFFE ids of callers, as in route rules; `"anonymous"` = no certificate.',
    ),
    verbs: required(
      listOf(oneOf('run', 'cancel', 'approve', 'pause', 'break_glass', 'revoke'), { min: 1 }),
      'What they may do. `"approve"`: say yes or no to what others asked for. `"pause"`: also resume, and add windows. `"break_glass"`: approve what they asked for themselves, and in a closed window. `"revoke"`: shut out a node, let it in again, forget its machine.',
    ),
  },
});

const sourceName = name(
  'source',
  /^(?:\*|[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_.-]+)?)$/,
  '"prometheus.main", "prometheus.main/TRIGGER" or "*"',
);

const sourceRuleBlock = block({
  doc: "Who may speak for a source's faults, so that no caller can resolve or occupy another's.",
  labels: [{ name: 'name', doc: 'Names the rule in logs.', type: word }],
  attributes: {
    sources: required(listOf(sourceName, { min: 1 }), 'Sources (all their triggers), `SOURCE/TRIGGER`, or `"*"`.'),
    uris: required(
      listOf(spiffePattern({ anonymous: true }), { min: 1 }),
      'SPIFFE ids of callers, as in route rules; `"anonymous"` = no certificate.',
    ),
  },
});

export const accessBlocks = { workflow_rule: many(workflowRuleBlock), source_rule: many(sourceRuleBlock) } as const;

type AccessSections = {
  readonly blocks: {
    readonly server_config: readonly Section<typeof serverConfigBlock>[];
    readonly workflow_rule: readonly Section<typeof workflowRuleBlock>[];
    readonly source_rule: readonly Section<typeof sourceRuleBlock>[];
  };
};

export function accessOf({ blocks }: AccessSections, problems: Problems): AccessConfig | null {
  const sections = blocks.server_config.flatMap((server) => server.blocks.route_rule);
  const routeRules = everyOne(sections.map((section) => routeRuleOf(section, problems)));
  const workflowRules = everyOne(blocks.workflow_rule.map(workflowRuleOf));
  const sourceRules = everyOne(blocks.source_rule.map(sourceRuleOf));
  checkRuleNames(sections, problems);
  if (routeRules !== null) warnOfUnreachable(routeRules, problems);
  if (routeRules === null || workflowRules === null || sourceRules === null) return null;
  return { routeRules, workflowRules, sourceRules };
}

const MUTATING = ['POST', 'PUT', 'PATCH', 'DELETE'];

function routeRuleOf(section: Section<typeof routeRuleBlock>, problems: Problems): RouteRule | null {
  if (section.values === null) return null;
  const {
    name,
    method,
    route_patterns: routePatterns,
    uris,
    allow_public: allowPublic,
    skip_log_match: skipLogMatch,
  } = section.values;
  if (!allowPublic && uris.length === 0) {
    const message = 'names nobody, so it can never match; write uris = ["spiffe://..."] or allow_public = true';
    problems.error(section.given.get('uris')?.place ?? section.place, section.path, message);
    return null;
  }
  const value = section.given.get('allow_public');
  if (allowPublic && value !== undefined) warnOfPublic(section, value, problems);
  return { place: section.place, name, method, routePatterns, uris, allowPublic, skipLogMatch };
}

function warnOfPublic(section: Section<typeof routeRuleBlock>, value: HclValue, problems: Problems): void {
  const { method = '', uris = [], route_patterns: patterns = [] } = section.readable;
  const warn = (message: string): void => problems.warn(value.place, `${section.path}.allow_public`, message);
  if (MUTATING.includes(method))
    warn(
      `lets anybody send ${method} requests; a workflow_rule must name "anonymous" before they can run anything; write uris instead if that is not meant`,
    );
  else if (patterns.includes('/*')) warn('lets anybody read every route; name the routes that are meant');
  if (uris.length > 0) warn('makes uris meaningless: everybody is let in; take one of the two away');
}

function checkRuleNames(sections: readonly Section<typeof routeRuleBlock>[], problems: Problems): void {
  const first = new Map<string, HclValue>();
  for (const section of sections) {
    const value = section.given.get('name');
    const { name } = section.readable;
    if (value === undefined || name === undefined) continue;
    const earlier = first.get(name);
    if (earlier === undefined) first.set(name, value);
    else
      problems.error(
        value.place,
        `${section.path}.name`,
        `is already the name of the rule at ${placeFrom(value.place, earlier.place)}; write another`,
      );
  }
}

/** A rule behind one that matches all it could match never decides anything: often a sign of a wrong order or pattern. */
function warnOfUnreachable(rules: readonly RouteRule[], problems: Problems): void {
  for (const [index, rule] of rules.entries()) {
    const cover = rules.slice(0, index).find((earlier) => covers(earlier, rule));
    if (cover === undefined) continue;
    const path = `server_config.route_rule[${JSON.stringify(rule.name)}]`;
    problems.warn(
      rule.place,
      path,
      `never decides: all it matches is matched by ${JSON.stringify(cover.name)} before it; take it away, or put it first`,
    );
  }
}

function covers(a: RouteRule, b: RouteRule): boolean {
  if (a.method !== b.method || (b.allowPublic && !a.allowPublic)) return false;
  if (!a.allowPublic && !b.uris.every((uri) => a.uris.some((wide) => coversUri(wide, uri)))) return false;
  return b.routePatterns.every((path) => a.routePatterns.some((wide) => coversPath(wide, path)));
}

const coversPath = (wide: string, path: string): boolean =>
  wide === path || wide === '/*' || (wide.endsWith('/*') && path.startsWith(wide.slice(0, -1)));

const coversUri = (wide: string, uri: string): boolean =>
  wide === uri ||
  (wide.endsWith('/*') && uri.startsWith(wide.slice(0, -1)) && !uri.slice(wide.length - 1).includes('/'));

function workflowRuleOf({
  place,
  labels: [name = ''],
  values,
}: Section<typeof workflowRuleBlock>): WorkflowRule | null {
  if (values === null) return null;
  return {
    place,
    name,
    workflows: values.workflows,
    nodeTypes: values.node_types,
    uris: values.uris,
    verbs: values.verbs,
  };
}

function sourceRuleOf({ place, values }: Section<typeof sourceRuleBlock>): SourceRule | null {
  return values === null ? null : { place, sources: values.sources, uris: values.uris };
}
