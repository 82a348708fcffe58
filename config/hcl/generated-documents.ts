/** Random HCL-like documents for the differential test, the same for the same seed. */

export type Random = {
  /** 0 <= n < below */
  readonly below: (limit: number) => number;
  readonly pick: <T>(items: readonly T[]) => T;
  readonly chance: (one: number, of: number) => boolean;
};

/** mulberry32: small, and good enough to choose characters. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    pick: (items) => items[below(items.length)] as (typeof items)[number],
    chance: (one, of) => below(of) < one,
  };
}

const NAMES = ['a', 'b', 'name', 'kind', 'value_2', 'x-y', '_z', 'route_rule', 'uris', 'T1', 'for', 'nulls', 'true1'];
const TEXTS = [
  'x',
  'GET',
  '/v1/*',
  'spiffe://example.com/a',
  ' ',
  '  two  ',
  'é',
  'e\u0301',
  '日本',
  '😀',
  '#',
  '//',
  '/* */',
  "'",
  '{',
  '}',
  '[',
  ']',
  '=',
  ',',
  '\\n',
  '\\t',
  '\\"',
  '\\\\',
  '\\u00e9',
  '\\U0001F600',
  '$',
  '%',
  '$$',
  '%%',
  '$${a}',
  '%%{if}',
  '${input.a}',
  '${ target.node }',
  '${labels.x_y}',
  '<<EOT',
  '\t',
  '__proto__',
  '$5',
  '100%',
] as const;
const NUMBERS = ['0', '1', '42', '3.5', '0.25', '100', '9007199254740991', '1234567.125', '10.0'];
const SPACES = ['', ' ', '  ', '\t', ' /* c */ ', '/**/'];
const LINE_ENDS = ['\n', '\n', '\n', '\r\n', '\n\n', ' # c\n', ' // "c\n', '/* c */\n', ' /* {\n */\n'];

const space = (random: Random): string => (random.chance(4, 5) ? ' ' : random.pick(SPACES));

function quoted(random: Random): string {
  let text = '';
  for (let count = random.below(4); count > 0; count -= 1) text += random.pick(TEXTS);
  return `"${text}"`;
}

function value(random: Random, depth: number): string {
  const kind = random.below(depth > 3 ? 6 : 9);
  if (kind < 3) return quoted(random);
  if (kind === 3) return random.pick(['true', 'false', 'null']);
  if (kind === 4) return random.pick(NUMBERS);
  if (kind === 5) return `-${random.chance(1, 4) ? ' ' : ''}${random.pick(NUMBERS)}`;
  return random.chance(1, 2) ? list(random, depth) : object(random, depth);
}

const gap = (random: Random): string => random.pick(['', ' ', ' ', '\n', '\n  ', ' # c\n']);

function list(random: Random, depth: number): string {
  const items = Array.from({ length: random.below(4) }, () => value(random, depth + 1));
  const comma = items.length > 0 && random.chance(1, 4) ? ',' : '';
  return `[${gap(random)}${items.join(`${gap(random)},${gap(random)}`)}${comma}${gap(random)}]`;
}

function object(random: Random, depth: number): string {
  let text = '{';
  const count = random.below(4);
  for (let index = 0; index < count; index += 1) {
    const key = random.chance(2, 3) ? random.pick(NAMES) : quoted(random);
    text += `${gap(random)}${key}${space(random)}${random.pick(['=', '=', ':'])}${space(random)}${value(random, depth + 1)}`;
    text += index === count - 1 ? random.pick(['', ',', '\n']) : random.pick([', ', ',\n', '\n', ' \n']);
  }
  return `${text}${count === 0 ? gap(random) : ''}}`;
}

function body(random: Random, depth: number): string {
  let text = '';
  for (let count = random.below(depth === 0 ? 5 : 4); count > 0; count -= 1) {
    const indent = random.chance(4, 5) ? '  '.repeat(depth) : random.pick(SPACES);
    if (depth > 2 || random.chance(2, 3))
      text += `${indent}${random.pick(NAMES)}${space(random)}=${space(random)}${value(random, 0)}`;
    else text += indent + block(random, depth);
    text += random.pick(LINE_ENDS);
  }
  return text;
}

function block(random: Random, depth: number): string {
  let head = random.pick(NAMES);
  for (let labels = random.below(3); labels > 0; labels -= 1)
    head += ` ${random.chance(3, 4) ? quoted(random) : random.pick(NAMES)}`;
  if (random.chance(1, 8)) return `${head} {}`;
  if (random.chance(1, 6)) return `${head} { ${random.pick(NAMES)} = ${value(random, 2)} }`;
  return `${head} {\n${body(random, depth + 1)}}`;
}

const JUNK = [
  '"',
  '{',
  '}',
  '[',
  ']',
  '(',
  ')',
  '=',
  ',',
  ':',
  '\n',
  '\r',
  ' ',
  '\t',
  '\\',
  '$',
  '%',
  '${',
  '%{',
  '$${',
  '#',
  '/',
  '*',
  '//',
  '/*',
  '*/',
  '<<',
  '<<-EOT\n',
  '-',
  '.',
  '?',
  '!',
  '&&',
  '0',
  '7',
  'e3',
  '0x1F',
  'a',
  '_',
  'true',
  'null',
  'for',
  '“',
  '”',
  "'",
  ';',
  '\u00a0',
  '\u2028',
  '\u0000',
  '\u0001',
  '\ufeff',
  '\u000b',
  '\f',
  'é',
  '::',
  '...',
  '=>',
  '\\u12',
  '\\x',
  '~',
  '`',
  '@',
];

/** One to three small wounds: taken away, put in, replaced, doubled, swapped. */
function mutate(random: Random, text: string): string {
  let result = text;
  for (let count = 1 + random.below(3); count > 0; count -= 1) {
    const at = random.below(result.length + 1);
    const length = random.pick([0, 0, 1, 1, 2, 5]);
    const kind = random.below(4);
    const middle = kind === 0 ? '' : kind === 1 ? result.slice(at, at + random.below(12)).repeat(2) : random.pick(JUNK);
    result = result.slice(0, at) + middle + result.slice(at + (kind === 1 ? 0 : length));
  }
  return result.toWellFormed();
}

/** A document, and whether it was wounded. Every second one is. */
export function generatedDocument(random: Random, index: number): string {
  const text = (random.chance(1, 50) ? '\ufeff' : '') + body(random, 0);
  const ended = random.chance(1, 5) ? text.trimEnd() : text;
  return index % 2 === 0 ? ended : mutate(random, ended);
}
