import { hostname } from 'node:os';
import { accessBlocks, accessOf, serverConfigBlock } from './access.ts';
import {
  everyOne,
  identityBlock,
  identityOf,
  roleName,
  sourceBlock,
  sourceOf,
  temporalBlock,
  temporalOf,
  type HostPort,
  type IdentityConfig,
  type PrometheusSourceConfig,
  type TemporalConfig,
} from './connections.ts';
import type { Place } from './problem.ts';
import type { Problems } from './problems.ts';
import { block, many, needed, one, optional, required, withDefault, type ReadOptions, type Section } from './schema.ts';
import { hostPort, path, webhookUrl } from './value-addresses.ts';
import { name, trustDomain, word } from './value-names.ts';
import { bool, duration, integer, oneOf } from './value-types.ts';
import { listOf } from './value-collections.ts';
import { standingBlocks, type Standing } from './standing.ts';

/** One `route_rule` of `server_config`: opens a door, nothing more. */
export type RouteRule = {
  readonly place: Place;
  readonly name: string;
  readonly method: string;
  /** `/v1/nodes`, or with `*` as the whole last segment (matches one or more further segments; `/*` matches everything). */
  readonly routePatterns: readonly string[];
  /** Exact SPIFFE ids, or with `*` as the whole last path segment. */
  readonly uris: readonly string[];
  readonly allowPublic: boolean;
  readonly skipLogMatch: boolean;
};

export type Verb = 'run' | 'cancel' | 'approve' | 'pause' | 'break_glass' | 'revoke';

/** `workflow_rule "name" { workflows, node_types, uris, verbs }`: who may do what where. `*` = all; uri `anonymous` = no certificate. */
export type WorkflowRule = {
  readonly place: Place;
  readonly name: string;
  readonly workflows: readonly string[];
  readonly nodeTypes: readonly string[];
  readonly uris: readonly string[];
  readonly verbs: readonly Verb[];
};

/** `source_rule "name" { sources, uris }`: who may speak for a source's faults. */
export type SourceRule = {
  readonly place: Place;
  readonly sources: readonly string[];
  readonly uris: readonly string[];
};

/** What decides about a caller; replaced as a whole on reload. */
export type AccessConfig = {
  readonly routeRules: readonly RouteRule[];
  readonly workflowRules: readonly WorkflowRule[];
  readonly sourceRules: readonly SourceRule[];
};

export type NotifyConfig = {
  readonly kind: 'webhook';
  readonly name: string;
  readonly url: string;
  readonly bearerFile: string | null;
  readonly timeoutMs: number;
};

export type AuditConfig = {
  readonly file: string;
  /** A larger file is put aside as `FILE.<number of its first line>`; null: never. */
  readonly maxBytes: number | null;
  /** Nothing is decided while the file takes no lines. */
  readonly required: boolean;
};

/** `agent_tokens { key = "/etc/fettle/agent-token.key" }`: agents get Temporal credentials from coordinators for their SVIDs. */
export type AgentTokensConfig = {
  /** PKCS#8 PEM, ECDSA P-256 or RSA. */
  readonly key: string;
  /** PEM, public or private halves: published as well, so that tokens they signed hold until they end. */
  readonly previousKeys: readonly string[];
  readonly ttlMs: number;
  /** Where Temporal reads the keys over plain HTTP; null = nowhere. */
  readonly jwksListen: HostPort | null;
};

export type CoordinatorConfig = Standing & {
  /** `name = "c1"`: tells this coordinator from others on logs and Temporal; default the host's name. */
  readonly name: string;
  /** `domain = "main"`: the gate's domain. */
  readonly domain: string;
  readonly stateDir: string;
  /** `server_config.listen`, default 0.0.0.0:7443 (127.0.0.1:7443 with `enable_tls = false`). */
  readonly listen: HostPort;
  readonly enableTls: boolean;
  /** Null only with `enable_tls = false`. */
  readonly identity: IdentityConfig | null;
  readonly access: AccessConfig;
  readonly temporal: TemporalConfig;
  /** `grant_key = "/etc/fettle/grant.key"`: PKCS#8 PEM, Ed25519. */
  readonly grantKey: string;
  /** `agents { trust_domain, protocol }`: defaults to the own trust domain at start. */
  readonly agentTrustDomain: string | null;
  readonly workflowsDir: string;
  readonly inventory: string | null;
  readonly sources: readonly PrometheusSourceConfig[];
  readonly notify: readonly NotifyConfig[];
  /** Where every decision and every refused caller is written down; null: in the log only. */
  readonly audit: AuditConfig | null;
  /** Null: agents get their Temporal credentials elsewhere, or there is no authorizer. */
  readonly agentTokens: AgentTokensConfig | null;
};

const notifyBlock = block({
  doc: 'Whom to tell. Workflows name it in `on_failure { notify = "NAME" }`.',
  labels: [{ name: 'name', doc: 'What workflows call it.', type: word }],
  attributes: {
    kind: withDefault(oneOf('webhook'), 'How: a JSON document posted to `url`.', 'webhook', '"webhook"'),
    url: required(webhookUrl, 'Where to post.'),
    bearer_file: optional(path, 'File that holds a bearer token.'),
    timeout: withDefault(duration({ maxMs: 300_000 }), 'Deadline of one post.', 10_000, '"10s"'),
  },
});

const agentTokensBlock = block({
  doc: "Gives agents short-lived Temporal credentials for the agents' namespace in exchange for their SVIDs (`POST /v1/agent-token`). Temporal's JWT authorizer checks them by the keys published here. Every coordinator has the same block.",
  attributes: {
    key: required(
      path,
      'PEM file: the private key (PKCS#8, ECDSA P-256 or RSA) that signs them; `fettle ca token-key` makes one. Coordinators only: whoever has it can be anybody to Temporal.',
    ),
    previous_keys: withDefault(
      listOf(path, { max: 4 }),
      'PEM files of further keys to publish, public or private: the one before during a rotation, or the next one.',
      [],
      '[]',
    ),
    ttl: withDefault(
      duration({ minMs: 10_000, maxMs: 3_600_000 }),
      'How long a token is valid: a revoked agent keeps its access no longer. Agents renew in a third of it, every two minutes at the latest.',
      600_000,
      '"10m"',
    ),
    jwks_listen: optional(
      hostPort(0),
      'Serve the public keys at `http://HOST:PORT/v1/jwks`, and nothing else, for a Temporal server that has no client certificate. A loopback address, unless the network between is trusted.',
    ),
  },
});

export const coordinatorFile = block({
  doc: 'The coordinator: who may ask for what, where Temporal is, what signs the orders.',
  attributes: {
    name: optional(roleName, "Tells this coordinator from others in logs and on Temporal. Default: the host's name."),
    domain: withDefault(
      name('domain', /^[a-z0-9][a-z0-9-]{0,62}$/, 'a-z, 0-9 and -'),
      "The gate's domain: limits are counted within it.",
      'main',
      '"main"',
    ),
    state_dir: withDefault(
      path,
      'Folder for what must outlive a restart. Written by this user only.',
      '/var/lib/fettle/coordinator',
      '"/var/lib/fettle/coordinator"',
    ),
    workflows_dir: withDefault(
      path,
      'Folder of workflow files: `restart-service.hcl` is the workflow `restart-service`. Read again when a file changes.',
      '/etc/fettle/workflows.d',
      '"/etc/fettle/workflows.d"',
    ),
    inventory: optional(path, 'Inventory file: the nodes that should exist.'),
    grant_key: required(
      path,
      'PEM file: the Ed25519 private key (PKCS#8) that signs orders to agents. Coordinators only.',
    ),
  },
  blocks: {
    server_config: needed(serverConfigBlock),
    ...accessBlocks,
    identity: one(identityBlock),
    temporal: needed(temporalBlock),
    source: many(sourceBlock),
    notify: many(notifyBlock),
    ...standingBlocks,
    audit: one(
      block({
        doc: 'A record of every decision and every refused caller, one JSON document a line, each line sealing the one before.',
        attributes: {
          file: required(path, 'The file, of this coordinator alone. It is only ever appended to.'),
          max_size_mb: optional(
            integer(1, 100_000),
            'A larger file is put aside as `FILE.<number of its first line>`, and a new one is begun. Default: left to logrotate.',
          ),
          required: withDefault(
            bool,
            'Nothing is decided while the file takes no lines, and no decision is given out before its line is on disk. Otherwise decisions go on, loudly.',
            false,
            'false',
          ),
        },
      }),
    ),
    agent_tokens: one(agentTokensBlock),
    agents: one(
      block({
        doc: 'Which agents are ours.',
        attributes: {
          trust_domain: optional(trustDomain, "Trust domain of the agents' ids. Default: the coordinator's own."),
        },
      }),
    ),
  },
});

function agentTokensOf(
  section: Section<typeof agentTokensBlock> | undefined,
  identity: IdentityConfig | null,
  problems: Problems,
): AgentTokensConfig | null {
  if (section === undefined || section.values === null) return null;
  const { key, previous_keys: previousKeys, ttl: ttlMs, jwks_listen: jwksListen } = section.values;
  const listen = section.given.get('jwks_listen');
  if (listen !== undefined && jwksListen !== null && !LOOPBACK.test(jwksListen.host))
    problems.warn(
      listen.place,
      `${section.path}.jwks_listen`,
      'serves the keys over plain HTTP: whoever can change that traffic can make Temporal trust other keys; write a loopback address, or give Temporal the file that fettle ca token-key wrote',
    );
  if (identity === null)
    problems.warn(
      section.place,
      section.path,
      'is of no use without an identity block and enable_tls = true: tokens are given for SVIDs only',
    );
  return { key, previousKeys, ttlMs, jwksListen };
}

const LOOPBACK = /^(?:localhost|127(?:\.[0-9]{1,3}){3}|::1)$/;

/** Checks what a schema cannot, and gives the whole configuration when nothing is missing or wrong. */
export function coordinatorOf(
  section: Section<typeof coordinatorFile>,
  { problems, complete }: ReadOptions,
  standing: Standing | null,
): CoordinatorConfig | null {
  const { blocks } = section;
  const [server] = blocks.server_config;
  const access = accessOf(section, problems);
  const sources = everyOne(blocks.source.map((source) => sourceOf(source, problems)));
  const notify = everyOne(blocks.notify.map(notifyOf));
  const temporal = temporalOf(blocks.temporal[0], problems);
  const identity = identityOf(blocks.identity[0]);
  const listen = server === undefined ? null : listenOf(server, problems);
  if (complete && server?.values?.enable_tls === true && blocks.identity.length === 0)
    problems.error(
      section.place,
      'identity',
      'the block is missing, and enable_tls = true needs it; write identity { ... }',
    );
  const enableTls = server?.values?.enable_tls;
  if (section.values === null || access === null || sources === null || notify === null || temporal === null)
    return null;
  if (standing === null || blocks.audit[0]?.values === null || blocks.agent_tokens[0]?.values === null) return null;
  if (listen === null || enableTls === undefined || (identity === null && (enableTls || blocks.identity.length > 0)))
    return null;
  const {
    name,
    domain,
    state_dir: stateDir,
    workflows_dir: workflowsDir,
    inventory,
    grant_key: grantKey,
  } = section.values;
  const agentTrustDomain = blocks.agents[0]?.values?.trust_domain ?? null;
  const own = { name: name ?? hostname(), domain, stateDir, workflowsDir, inventory, grantKey, agentTrustDomain };
  return {
    ...own,
    listen,
    enableTls,
    identity,
    access,
    temporal,
    sources,
    notify,
    ...standing,
    audit: auditOf(blocks.audit[0]?.values ?? null),
    agentTokens: agentTokensOf(blocks.agent_tokens[0], identity, problems),
  };
}

const auditOf = (
  values: { readonly file: string; readonly max_size_mb: number | null; readonly required: boolean } | null,
): AuditConfig | null =>
  values && {
    file: values.file,
    maxBytes: values.max_size_mb === null ? null : values.max_size_mb * 1024 * 1024,
    required: values.required,
  };

function listenOf(server: Section<typeof serverConfigBlock>, problems: Problems): HostPort | null {
  if (server.values === null) return null;
  const { enable_tls: enableTls, listen } = server.values;
  if (listen === null) return { host: enableTls ? '0.0.0.0' : '127.0.0.1', port: 7443 };
  if (enableTls || LOOPBACK.test(listen.host)) return listen;
  const place = server.given.get('listen')?.place ?? server.place;
  const message = `${listen.host} is reachable from outside, and without TLS nobody is identified; write "127.0.0.1:${listen.port}" or enable_tls = true`;
  problems.error(place, `${server.path}.listen`, message);
  return null;
}

function notifyOf(section: Section<typeof notifyBlock>): NotifyConfig | null {
  if (section.values === null) return null;
  const { kind, url, bearer_file: bearerFile, timeout } = section.values;
  return { kind, name: section.labels[0] ?? '', url, bearerFile, timeoutMs: timeout };
}
