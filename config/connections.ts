/** Blocks that several roles share: identity, Temporal, sources, where metrics are served. */

export type HostPort = { readonly host: string; readonly port: number };

/** `identity { certificate, key, bundle }`: this process' own SVID and what it trusts. File names; read by identity/. */
export type IdentityConfig = {
  readonly certificate: string;
  readonly key: string;
  /** PEM bundle of the own trust domain. */
  readonly bundle: string;
  /** `trust_domain "other.example" { bundle = "..." }`: further domains, each with its own bundle, never merged. */
  readonly federated: readonly { readonly trustDomain: string; readonly bundle: string }[];
};

/** `temporal { address, namespace, agents_namespace, api_key_file, tls { ca, certificate, key, server_name } }` */
export type TemporalConfig = {
  readonly address: string;
  /** Control namespace (coordinators); default `fettle`. */
  readonly namespace: string;
  /** Default `fettle-agents`. */
  readonly agentsNamespace: string;
  readonly apiKeyFile: string | null;
  readonly tls: {
    readonly ca: string | null;
    readonly certificate: string | null;
    readonly key: string | null;
    readonly serverName: string | null;
  } | null;
};

/** `source "prometheus" "main" { url, ... }` */
export type PrometheusSourceConfig = {
  readonly kind: 'prometheus';
  readonly name: string;
  /** Base URL, path prefix included, no credentials in it. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly parameters: Readonly<Record<string, string>>;
  readonly auth:
    | { readonly kind: 'none' }
    | { readonly kind: 'bearer'; readonly tokenFile: string }
    | { readonly kind: 'basic'; readonly username: string; readonly passwordFile: string };
  readonly tls: { readonly ca: string | null; readonly certificate: string | null; readonly key: string | null } | null;
  /** Whole-answer deadline of one query. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
};
/** `prometheus.main` */
export const sourceAddress = (source: { kind: string; name: string }): string => `${source.kind}.${source.name}`;
