import type { HostPort, IdentityConfig, PrometheusSourceConfig, TemporalConfig } from './connections.ts';
import type { Place } from './problem.ts';

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

export const VERBS = ['run', 'cancel', 'approve', 'pause'] as const;
export type Verb = (typeof VERBS)[number];

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
export type SourceRule = { readonly place: Place; readonly sources: readonly string[]; readonly uris: readonly string[] };

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

export type CoordinatorConfig = {
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
};

/** `inventory.hcl`: `node "web-1" { type = "web", datacenter = "dc1", labels = { rack = "r1" } }` */
export type InventoryNode = {
  readonly place: Place;
  readonly node: string;
  readonly nodeType: string;
  readonly datacenter: string;
  readonly labels: Readonly<Record<string, string>>;
};
