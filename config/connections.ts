/** Blocks that several roles share: identity, Temporal, sources, where metrics are served. */
import { block, many, one, optional, required, withDefault, type Section } from './schema.ts';
import type { Problems } from './problems.ts';
import { address, hostPort, path, url } from './value-addresses.ts';
import { mapOf } from './value-collections.ts';
import { name, trustDomain, word } from './value-names.ts';
import { anyText, duration, integer, oneOf, text } from './value-types.ts';

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

export const identityBlock = block({
  doc: "This process' own SVID and the authorities it trusts. The files are read again when they change.",
  attributes: {
    certificate: required(path, 'PEM file: the X.509-SVID, its intermediates behind it.'),
    key: required(path, 'PEM file: the private key of the certificate. Readable by this user only.'),
    bundle: required(path, 'PEM file: the authorities of the own trust domain.'),
  },
  blocks: {
    trust_domain: many(
      block({
        doc: 'A further trust domain whose members may connect. Its bundle vouches for its own ids only.',
        labels: [{ name: 'trust domain', doc: 'The other trust domain, e.g. `other.example`.', type: trustDomain }],
        attributes: { bundle: required(path, 'PEM file: the authorities of that trust domain.') },
      }),
    ),
  },
});

export function identityOf(section: Section<typeof identityBlock> | undefined): IdentityConfig | null {
  if (section === undefined || section.values === null) return null;
  const { certificate, key, bundle } = section.values;
  const federated = section.blocks.trust_domain.flatMap(({ labels: [trustDomain = ''], values }) =>
    values === null ? [] : [{ trustDomain, bundle: values.bundle }],
  );
  return federated.length === section.blocks.trust_domain.length ? { certificate, key, bundle, federated } : null;
}

const tlsAttributes = {
  ca: optional(path, "PEM file of the authorities to trust; without it, the system's."),
  certificate: optional(path, 'PEM file of a client certificate; goes with `key`.'),
  key: optional(path, 'PEM file of its private key; goes with `certificate`.'),
} as const;

const temporalName = name('namespace', /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/, 'letters, digits, . _ and -');

export const temporalBlock = block({
  doc: 'The Temporal server, the only store and queue of the fleet.',
  attributes: {
    address: required(address, 'The frontend\'s gRPC address, e.g. `"temporal.example.com:7233"`.'),
    namespace: withDefault(
      temporalName,
      'Control namespace: gate and executions. Coordinators only.',
      'fettle',
      '"fettle"',
    ),
    agents_namespace: withDefault(
      temporalName,
      'Namespace of orders to agents and their receipts.',
      'fettle-agents',
      '"fettle-agents"',
    ),
    api_key_file: optional(path, 'File that holds the token sent as `authorization: Bearer`.'),
  },
  blocks: {
    tls: one(
      block({
        doc: 'Speak TLS to Temporal. An empty block is enough when the server has a public certificate.',
        attributes: { ...tlsAttributes, server_name: optional(text, "Name to expect in the server's certificate.") },
      }),
    ),
  },
});

/** An agent's: it may get its credential from the coordinators. */
export const agentTemporalBlock = block({
  ...temporalBlock,
  attributes: {
    ...temporalBlock.attributes,
    token_from: optional(
      oneOf('coordinator'),
      'Get the token from the coordinators in exchange for the SVID, and renew it while running; they need `agent_tokens`. Not together with `api_key_file`.',
    ),
  },
});

export function temporalOf(
  section: Section<typeof temporalBlock> | undefined,
  problems: Problems,
): TemporalConfig | null {
  if (section === undefined) return null;
  const [tls] = section.blocks.tls;
  if (tls !== undefined) checkKeyPair(tls, problems);
  if (section.values === null || tls?.values === null) return null;
  const { address, namespace, agents_namespace: agentsNamespace, api_key_file: apiKeyFile } = section.values;
  const { ca = null, certificate = null, key = null, server_name: serverName = null } = tls?.values ?? {};
  return {
    address,
    namespace,
    agentsNamespace,
    apiKeyFile,
    tls: tls === undefined ? null : { ca, certificate, key, serverName },
  };
}

/** A certificate without its key, or a key without its certificate, is a slip that would only show at the first connection. */
function checkKeyPair(section: Pick<Section<never>, 'given' | 'place' | 'path'>, problems: Problems): void {
  const certificate = section.given.get('certificate');
  const key = section.given.get('key');
  if (certificate !== undefined && key === undefined)
    problems.error(certificate.place, `${section.path}.certificate`, 'stands without key; write both or neither');
  if (key !== undefined && certificate === undefined)
    problems.error(key.place, `${section.path}.key`, 'stands without certificate; write both or neither');
}

const headerName = name('header name', /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'an HTTP header name, e.g. "X-Scope-OrgID"');
const headerValue = name('header value', /^[\t\x20-\x7e]*$/, 'printable ASCII');

export const sourceBlock = block({
  doc: 'Where conditions are looked up. Other blocks name it by its address: `prometheus.NAME`.',
  labels: [
    { name: 'kind', doc: '`"prometheus"`.', type: oneOf('prometheus') },
    {
      name: 'name',
      doc: 'Tells this source from others of its kind.',
      type: name('source name', /^[A-Za-z0-9_-]{1,64}$/, 'letters, digits, _ and -'),
    },
  ],
  attributes: {
    url: required(url, 'Base URL, path prefix included, without credentials.'),
    headers: withDefault(
      mapOf(headerName, headerValue),
      'Sent with every query, e.g. a tenant. No secrets: use `bearer_file` or `basic`.',
      {},
      '{}',
    ),
    parameters: withDefault(mapOf(text, anyText), 'Added to the query string of every query.', {}, '{}'),
    bearer_file: optional(path, 'File that holds a bearer token; read again when it changes.'),
    timeout: withDefault(
      duration({ maxMs: 300_000 }),
      'Deadline of one query, its whole answer included.',
      10_000,
      '"10s"',
    ),
    max_bytes: withDefault(
      integer(1024, 1_073_741_824),
      'Answers larger than this are refused.',
      10_485_760,
      '10485760',
    ),
  },
  blocks: {
    basic: one(
      block({
        doc: 'HTTP basic authentication. Not together with `bearer_file`.',
        attributes: {
          username: required(text, 'User name.'),
          password_file: required(path, 'File that holds the password; read again when it changes.'),
        },
      }),
    ),
    tls: one(block({ doc: 'How to speak TLS to this source.', attributes: tlsAttributes })),
  },
});

export function sourceOf(section: Section<typeof sourceBlock>, problems: Problems): PrometheusSourceConfig | null {
  const [basic] = section.blocks.basic;
  const [tls] = section.blocks.tls;
  if (tls !== undefined) checkKeyPair(tls, problems);
  if (basic !== undefined && section.given.has('bearer_file'))
    problems.error(basic.place, `${section.path}.basic`, 'stands together with bearer_file; keep one of the two');
  if (section.values === null || basic?.values === null || tls?.values === null) return null;
  const { url, headers, parameters, bearer_file: tokenFile, timeout, max_bytes: maxBytes } = section.values;
  const auth: PrometheusSourceConfig['auth'] =
    basic !== undefined
      ? { kind: 'basic', username: basic.values.username, passwordFile: basic.values.password_file }
      : tokenFile !== null
        ? { kind: 'bearer', tokenFile }
        : { kind: 'none' };
  const [, label = ''] = section.labels;
  return {
    kind: 'prometheus',
    name: label,
    url,
    headers,
    parameters,
    auth,
    tls: tls?.values ?? null,
    timeoutMs: timeout,
    maxBytes,
  };
}

export const metricsBlock = block({
  doc: 'Serve Prometheus metrics over plain HTTP. Without the block no port is opened.',
  attributes: { listen: required(hostPort(0), 'Where to listen, e.g. `"127.0.0.1:9464"`; port 0 takes a free one.') },
});

export const metricsOf = (section: Section<typeof metricsBlock> | undefined): HostPort | null =>
  section?.values?.listen ?? null;

/** All of them, or null when one could not be read: half a list must never pass for the whole. */
export function everyOne<T>(items: readonly (T | null)[]): readonly T[] | null {
  const good = items.filter((item) => item !== null);
  return good.length === items.length ? good : null;
}

export const roleName = word;
