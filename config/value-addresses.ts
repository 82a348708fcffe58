/** Paths, URLs, hosts and ports, SPIFFE ids, routes. */
import { dirname, resolve } from 'node:path';
import type { HostPort } from './connections.ts';
import type { ValueType } from './schema.ts';
import { parseSpiffeId, type SpiffeId } from './spiffe-id.ts';
import { literal, parsed, refuse } from './value-reading.ts';
import { oneOf } from './value-types.ts';

/** Relative paths count from the folder of the file they stand in. */
export const path: ValueType<string> = parsed('path', 'a path in quotes', (given, value) => {
  if (given === '') return refuse(given, 'is empty; write a path, or leave the attribute out');
  if (/\p{Cc}/u.test(given)) return refuse(given, 'holds a control character; take it away');
  if (given.startsWith('~')) return refuse(given, 'begins with ~, which is not expanded; write the whole path');
  if (Buffer.byteLength(given) > 4096) return refuse(given, 'is longer than 4096 bytes; write a shorter path');
  return resolve(dirname(value.place.file), given);
});

/** Where it means the host itself: never relative. */
export const absolutePath: ValueType<string> = parsed('absolute path', 'a path in quotes', (given) =>
  /^\/(?!.*(?:^|\/)\.\.?(?:\/|$))[^\p{Cc}]*$/u.test(given)
    ? given
    : refuse(given, 'is not an absolute path; write one that begins with / and holds no . or .. parts'),
);

export const url: ValueType<string> = parsed('URL', 'a URL in quotes', (given) => {
  const write = 'write http:// or https://, a host, and maybe a port and path';
  if (/[\s\p{Cc}\\]/u.test(given)) return refuse(given, `holds white space or a backslash; ${write}`);
  if (!URL.canParse(given)) return refuse(given, `is no URL; ${write}`);
  const { protocol, username, password, search, hash, hostname } = new URL(given);
  if (username !== '' || password !== '')
    throw new Error('the URL holds credentials; use bearer_file or basic { ... } instead');
  if (protocol !== 'http:' && protocol !== 'https:') return refuse(given, `has the scheme ${protocol}; ${write}`);
  if (!/^https?:\/\/[^/]/.test(given) || hostname === '') return refuse(given, `has no host; ${write}`);
  if (search !== '' || hash !== '' || /[?#]/.test(given)) return refuse(given, `holds a query or fragment; ${write}`);
  return given;
});

/** A webhook's address may carry a query. */
export const webhookUrl: ValueType<string> = parsed('URL', 'a URL in quotes', (given) => {
  const bare = given.replace(/[?#].*$/s, '');
  const problem = !URL.canParse(given) || /[\s\p{Cc}\\]/u.test(given) || !/^https?:\/\/[^/]/.test(bare);
  // Such addresses are often secrets themselves: never shown.
  if (problem) throw new Error('is no URL; write http:// or https://, a host, and maybe a port, path and query');
  const { username, password } = new URL(given);
  if (username !== '' || password !== '') throw new Error('the URL holds credentials; use bearer_file instead');
  return given;
});

const HOST = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253})$/;

export const hostPort = (minPort: number): ValueType<HostPort> =>
  parsed('host:port', 'host:port in quotes', (given) => {
    const colon = given.lastIndexOf(':');
    const host = given.slice(0, Math.max(colon, 0));
    const digits = given.slice(colon + 1);
    const port = Number(digits);
    const good = HOST.test(host) && /^[0-9]{1,5}$/.test(digits) && port >= minPort && port <= 65_535;
    if (!good)
      return refuse(given, `is no host:port; write e.g. "127.0.0.1:7443", "[::1]:7443" (port ${minPort}-65535)`);
    return { host: host.replace(/^\[|\]$/g, ''), port };
  });

/** The address of a service: `host:port`, kept as text. */
export const address: ValueType<string> = {
  name: 'host:port',
  read: (value, reader) => {
    const checked = hostPort(1).read(value, reader);
    return checked === undefined ? undefined : (literal(value, reader) ?? undefined);
  },
};

export const spiffeId: ValueType<SpiffeId> = parsed('SPIFFE id', 'a SPIFFE id in quotes', (given) =>
  parseSpiffeId(given),
);

/** A SPIFFE id, or one whose last path segment is `*`; `anonymous` where that may stand. */
export const spiffePattern = (options: { anonymous: boolean }): ValueType<string> =>
  parsed(
    options.anonymous ? 'SPIFFE id pattern or "anonymous"' : 'SPIFFE id pattern',
    'a SPIFFE id in quotes',
    (given) => {
      if (options.anonymous && given === 'anonymous') return given;
      if (given === 'anonymous')
        return refuse(given, 'may stand in a workflow_rule only; write allow_public = true to open a route');
      if (!given.includes('*')) return parseSpiffeId(given).text;
      if (given.indexOf('*') !== given.length - 1 || !given.endsWith('/*'))
        return refuse(
          given,
          'has a * that is not the whole last path segment; write e.g. "spiffe://example.com/agents/*"',
        );
      parseSpiffeId(`${given.slice(0, -1)}x`);
      return given;
    },
  );

export const routePattern: ValueType<string> = parsed('route pattern', 'a path in quotes', (given) => {
  const write = 'write e.g. "/v1/nodes" or "/v1/executions/*"';
  if (!given.startsWith('/')) return refuse(given, `does not begin with /; ${write}`);
  const star = given.indexOf('*');
  if (star !== -1 && (star !== given.length - 1 || !given.endsWith('/*')))
    return refuse(given, `has a * that is not the whole last segment; ${write}`);
  const bare = given.endsWith('/*') ? given.slice(0, -1) : given;
  if (!/^\/(?:[A-Za-z0-9._~:@!$&'()+,=-]+\/)*[A-Za-z0-9._~:@!$&'()+,=-]*$/.test(bare) || /\/\.{1,2}(?:\/|$)/.test(bare))
    return refuse(given, `can match no route (empty or dot segments, %, ;, or other characters); ${write}`);
  if (bare === given && given.length > 1 && given.endsWith('/')) return refuse(given, `ends with /; ${write}`);
  return given;
});

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
export const httpMethod: ValueType<string> = oneOf(...METHODS);
