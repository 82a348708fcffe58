/** The types of values: each reads one HCL value and says what to write instead when it is none of its own. */
import { dirname, resolve } from 'node:path';
import type { HostPort } from './connections.ts';
import { didYouMean } from './did-you-mean.ts';
import { parseDuration } from './duration.ts';
import type { HclString, HclValue } from './hcl/decode.ts';
import { literalOf, referenceRoot, textOf, type ReferenceRoot } from './hcl/templates.ts';
import type { Place } from './problem.ts';
import type { Reader, ValueType } from './schema.ts';
import { parseSpiffeId, type SpiffeId } from './spiffe-id.ts';
import type { ArgValue, Text, WorkflowConfig } from './workflow.ts';

const KINDS = {
  string: 'a string',
  number: 'a number',
  bool: 'true or false',
  null: 'null',
  list: 'a list',
  object: 'an object',
};

function wrong(value: HclValue, reader: Reader, message: string, place: Place = value.place): undefined {
  reader.problems.error(place, reader.path, message);
  return undefined;
}

const wrongKind = (value: HclValue, reader: Reader, write: string): undefined =>
  wrong(value, reader, `is ${KINDS[value.kind]}; write ${write}`);

/** A string without any template in it. */
function literal(value: HclValue, reader: Reader, write = 'a string in quotes'): string | undefined {
  if (value.kind !== 'string') return wrongKind(value, reader, write);
  const text = literalOf(value.parts);
  if (text !== null) return text;
  const at = value.parts.findIndex((part) => typeof part !== 'string');
  const part = value.parts[at];
  const shown = typeof part === 'object' ? part.ref : '';
  return wrong(value, reader, `\${${shown}} cannot stand here; write plain text`, value.partPlaces[at]);
}

/** From a function that returns or throws an Error whose message says what to write. */
function parsed<T>(name: string, write: string, parse: (text: string, value: HclString) => T): ValueType<T> {
  return {
    name,
    read: (value, reader) => {
      const text = literal(value, reader, write);
      if (text === undefined || value.kind !== 'string') return undefined;
      try {
        return parse(text, value);
      } catch (error) {
        return wrong(value, reader, (error as Error).message);
      }
    },
  };
}

const refuse = (text: string, message: string): never => {
  throw new Error(`${JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}...` : text)} ${message}`);
};

export const bool: ValueType<boolean> = {
  name: 'bool',
  read: (value, reader) =>
    value.kind === 'bool' ? value.value : wrongKind(value, reader, 'true or false, without quotes'),
};

/** Any text but the empty one. */
export const text: ValueType<string> = parsed('string', 'a string in quotes', (given) =>
  given === '' ? refuse(given, 'is empty; write some text, or leave the attribute out') : given,
);

/** Any text, the empty one too. */
export const anyText: ValueType<string> = parsed('string', 'a string in quotes', (given) => given);

export const number: ValueType<number> = {
  name: 'number',
  read: (value, reader) =>
    value.kind === 'number' ? value.value : wrongKind(value, reader, 'a number without quotes'),
};

export const integer = (min: number, max: number): ValueType<number> => ({
  name: `whole number, ${min}-${max}`,
  read: (value, reader) => {
    if (value.kind !== 'number') return wrongKind(value, reader, `a whole number without quotes, ${min} to ${max}`);
    if (Number.isInteger(value.value) && value.value >= min && value.value <= max) return value.value;
    return wrong(value, reader, `${value.value} is out of range; write a whole number from ${min} to ${max}`);
  },
});

/** A whole number, with or without quotes. */
export const numberOrText = (min: number, max: number): ValueType<number> => ({
  name: `whole number or string, ${min}-${max}`,
  read: (value, reader) => {
    if (value.kind !== 'string') return integer(min, max).read(value, reader);
    const given = literal(value, reader);
    if (given === undefined) return undefined;
    if (/^[0-9]{1,15}$/.test(given))
      return integer(min, max).read({ kind: 'number', place: value.place, value: Number(given) }, reader);
    return wrong(
      value,
      reader,
      `${JSON.stringify(given.slice(0, 60))} is no whole number; write e.g. ${min} or "${min}"`,
    );
  },
});

/** In milliseconds; more than nothing unless `zero`. */
export const duration = (options: { zero?: boolean; minMs?: number; maxMs?: number } = {}): ValueType<number> =>
  parsed('duration', 'a duration in quotes, e.g. "10s"', (given) => {
    const ms = parseDuration(given);
    if (ms === 0 && options.zero !== true)
      return refuse(given, 'is no time at all; write a longer duration, e.g. "1s"');
    if (options.minMs !== undefined && ms < options.minMs)
      return refuse(given, `is too short; write at least "${options.minMs}ms"`);
    if (options.maxMs !== undefined && ms > options.maxMs)
      return refuse(given, `is too long; write at most "${options.maxMs / 1000}s"`);
    return ms;
  });

export const oneOf = <const T extends string>(...words: readonly T[]): ValueType<T> =>
  parsed(words.map((word) => `"${word}"`).join(' | '), `one of ${words.join(', ')}`, (given) => {
    const word = words.find((candidate) => candidate === given);
    return word ?? refuse(given, `is not known${didYouMean(given, words)}`);
  });

/** A name of ours: `what` names it, `pattern` must fit the whole, `write` says what fits. */
export const name = (what: string, pattern: RegExp, write: string): ValueType<string> =>
  parsed(what, `a ${what} in quotes`, (given) =>
    given.length <= 200 && pattern.test(given) ? given : refuse(given, `is no ${what}; write ${write}`),
  );

/** Names of blocks, steps, rules, sources. */
export const word: ValueType<string> = name('name', /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/, 'letters, digits, _ . and -');
export const workflowName: ValueType<string> = name(
  'workflow name',
  /^[a-z][a-z0-9-]{0,63}$/,
  'a-z, 0-9 and -, beginning with a letter',
);
/** What may stand in a task queue's name or a SPIFFE path for a node, node type or datacenter. */
export const placeName: ValueType<string> = name(
  'place name',
  /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}$/,
  'A-Z a-z 0-9 . _ and -',
);
export const labelName: ValueType<string> = name(
  'label name',
  /^(?!__proto__$)[A-Za-z_][A-Za-z0-9_]*$/,
  'letters, digits and _',
);
export const inputName: ValueType<string> = name(
  'input name',
  /^(?!__proto__$)[A-Za-z_][A-Za-z0-9_-]{0,63}$/,
  'letters, digits, _ and -',
);
export const trustDomain: ValueType<string> = name(
  'trust domain',
  /^[a-z0-9._-]{1,255}$/,
  'a-z 0-9 . _ -, e.g. "example.com"',
);
export const sourceRef: ValueType<string> = name(
  'source',
  /^prometheus\.[A-Za-z0-9_-]+$/,
  'the address of a source block, e.g. "prometheus.main"',
);

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
  if (problem) return refuse(bare, 'is no URL; write http:// or https://, a host, and maybe a port and path');
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

/** Source of a regular expression; whoever uses it anchors it to the whole value. */
export const regex: ValueType<string> = parsed('regular expression', 'a regular expression in quotes', (given) => {
  if (given.length > 1000) return refuse(given, 'is longer than 1000 characters; write a shorter one');
  try {
    // The flag u refuses what is valid by accident only; with it, and without it, a pattern means the same.
    void new RegExp(`^(?:${given})$`, 'u');
    return given;
  } catch (error) {
    const why = (error as Error).message.replace(/^Invalid regular expression: \/.*\/u?: /s, '');
    return refuse(given, `is no regular expression (${why}); mend it, and write \\\\ for each backslash`);
  }
});

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

export function listOf<T>(type: ValueType<T>, options: { min?: number; max?: number } = {}): ValueType<readonly T[]> {
  const { min = 0, max = 1000 } = options;
  return {
    name: `list of ${type.name}`,
    read: (value, reader) => {
      if (value.kind !== 'list')
        return wrongKind(value, reader, `a list: [${value.kind === 'string' ? '"..."' : '...'}]`);
      if (value.items.length < min) return wrong(value, reader, 'is an empty list; write at least one');
      if (value.items.length > max)
        return wrong(value, reader, `has ${value.items.length} items; write at most ${max}`);
      const items = value.items.map((item, index) =>
        readInner(type, item, { ...reader, path: `${reader.path}[${index}]` }),
      );
      const good = items.filter((item) => item !== undefined);
      return good.length === items.length ? good : undefined;
    },
  };
}

function readInner<T>(type: ValueType<T>, value: HclValue, reader: Reader): T | undefined {
  return value.kind === 'null' ? wrong(value, reader, 'null is no value here; take it away') : type.read(value, reader);
}

/** One, or a list of them. */
export const oneOrMore = <T>(type: ValueType<T>): ValueType<readonly T[]> => ({
  name: `${type.name}, or list of them`,
  read: (value, reader) => {
    if (value.kind === 'list') return listOf(type, { min: 1 }).read(value, reader);
    const single = type.read(value, reader);
    return single === undefined ? undefined : [single];
  },
});

/** An object with free keys. Its record has no prototype, so `__proto__` is a key like any other. */
export function mapOf<T>(key: ValueType<string>, type: ValueType<T>): ValueType<Readonly<Record<string, T>>> {
  return {
    name: `{ ${key.name} = ${type.name} }`,
    read: (value, reader) => {
      if (value.kind !== 'object') return wrongKind(value, reader, 'an object: { name = value }');
      const record = Object.create(null) as Record<string, T>;
      let good = true;
      for (const member of value.members.values()) {
        const inner = { ...reader, path: `${reader.path}.${member.key}` };
        const keyValue = {
          kind: 'string',
          place: member.keyPlace,
          parts: [member.key],
          partPlaces: [member.keyPlace],
        } as const;
        const read = readInner(type, member.value, inner);
        if (key.read(keyValue, inner) === undefined || read === undefined) good = false;
        else record[member.key] = read;
      }
      return good ? record : undefined;
    },
  };
}

export const stringMap: ValueType<Readonly<Record<string, string>>> = mapOf(text, anyText);

type Members = Readonly<Record<string, { readonly type: ValueType<unknown>; readonly required: boolean }>>;

/** An object with fixed keys, e.g. `{ attempts = 2, wait = "10s" }`; those left out are absent from the result. */
export function objectOf<T extends Readonly<Record<string, unknown>>>(members: {
  readonly [K in keyof T]-?: { readonly type: ValueType<NonNullable<T[K]>>; readonly required: boolean };
}): ValueType<T> {
  const known = members as Members;
  return {
    name: `{ ${Object.entries(known)
      .map(([key, { type }]) => `${key} = ${type.name}`)
      .join(', ')} }`,
    read: (value, reader) => {
      if (value.kind !== 'object')
        return wrongKind(value, reader, `an object: { ${Object.keys(known).join(' = ..., ')} = ... }`);
      const record: Record<string, unknown> = {};
      let good = true;
      for (const member of value.members.values()) {
        const inner = { ...reader, path: `${reader.path}.${member.key}` };
        const spec = Object.hasOwn(known, member.key) ? known[member.key] : undefined;
        const read =
          spec === undefined
            ? wrong(
                value,
                inner,
                `unknown key ${member.key}${didYouMean(member.key, Object.keys(known))}`,
                member.keyPlace,
              )
            : readInner(spec.type, member.value, inner);
        if (read === undefined) good = false;
        else record[member.key] = read;
      }
      for (const [key, spec] of Object.entries(known)) {
        if (spec.required && !value.members.has(key))
          good = wrong(value, { ...reader, path: `${reader.path}.${key}` }, `is missing; write ${key} = ...`) ?? false;
      }
      return good ? (record as T) : undefined;
    },
  };
}

/** Text in which references with these roots may stand. */
export const template = (roots: readonly ReferenceRoot[]): ValueType<Text> => ({
  name: roots.length === 0 ? 'string' : `string with ${roots.map((root) => `\${${root}.*}`).join(' ')}`,
  read: (value, reader) => {
    if (value.kind !== 'string') return wrongKind(value, reader, 'a string in quotes');
    return checkRoots(value, roots, reader) ? textOf(value.parts) : undefined;
  },
});

function checkRoots(value: HclString, roots: readonly ReferenceRoot[], reader: Reader): boolean {
  let good = true;
  for (const [index, part] of value.parts.entries()) {
    if (typeof part === 'string' || roots.includes(referenceRoot(part.ref))) continue;
    const allowed =
      roots.length === 0
        ? 'write plain text'
        : `here only ${roots.map((root) => `\${${root}.NAME}`).join(', ')} are known`;
    reader.problems.error(
      value.partPlaces[index] ?? value.place,
      reader.path,
      `\${${part.ref}} is not defined here; ${allowed}`,
    );
    good = false;
  }
  return good;
}

/** A value of an argument: string (with references), number, bool, or a list of such. */
export const argument = (roots: readonly ReferenceRoot[]): ValueType<ArgValue> => ({
  name: 'string, number, bool or list',
  read: (value, reader): ArgValue | undefined => {
    if (value.kind === 'string') return template(roots).read(value, reader);
    if (value.kind === 'number' || value.kind === 'bool') return value.value;
    if (value.kind === 'list') return listOf(argument(roots)).read(value, reader);
    return wrongKind(value, reader, 'a string, number, true, false or a list of them');
  },
});

export const scalar: ValueType<string | number | boolean> = {
  name: 'string, number or bool',
  read: (value, reader) => {
    if (value.kind === 'number' || value.kind === 'bool') return value.value;
    return literal(value, reader, 'a string in quotes, a number, true or false');
  },
};

/** `task_queue_target` */
export const parsedTarget: ValueType<WorkflowConfig['definition']['taskQueueTarget']> = parsed(
  '"node" | "node_type" | "node_type:TYPE" | "general"',
  'one of "node", "node_type", "node_type:TYPE", "general"',
  (given) => {
    if (given === 'general' || given === 'node') return { kind: given };
    if (given === 'node_type') return { kind: given, type: null };
    const type = /^node_type:((?!\.{1,2}$)[A-Za-z0-9._-]{1,128})$/.exec(given)?.[1];
    if (type !== undefined) return { kind: 'node_type', type };
    return refuse(
      given,
      `is no target${given.includes(':') ? '; write "node_type:TYPE", with A-Z a-z 0-9 . _ - in TYPE' : didYouMean(given, ['node', 'node_type', 'general'])}`,
    );
  },
);
