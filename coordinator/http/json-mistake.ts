/** Where a text stops being JSON, and what should stand there. The engine's own words name no place for most mistakes, and quote the text. */
export type JsonMistake = { readonly offset: number; readonly expected: string };

type Expecting =
  | 'a value'
  | 'a value or ]'
  | 'a key in double quotes or }'
  | 'a key in double quotes'
  | ':'
  | ', or }'
  | ', or ]'
  | 'nothing more';

// Control characters may not stand in a JSON string.
const TOKEN =
  // oxlint-disable-next-line no-control-regex
  /([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-])|(?:true|false|null)(?!\w))/y;
const SPACE = /[ \t\r\n]*/y;

/** Null when the text is JSON. */
export function findJsonMistake(text: string): JsonMistake | null {
  const open: ('{' | '[')[] = [];
  let expecting: Expecting = 'a value';
  for (let offset = 0; ;) {
    SPACE.lastIndex = offset;
    offset += SPACE.exec(text)?.[0].length ?? 0;
    if (offset === text.length) return expecting === 'nothing more' ? null : { offset, expected: expecting };
    TOKEN.lastIndex = offset;
    const [token, mark, string]: readonly (string | undefined)[] = TOKEN.exec(text) ?? [];
    const next: Expecting | null =
      token === undefined ? null : follow(expecting, mark ?? (string === undefined ? 'literal' : 'string'), open);
    if (token === undefined || next === null) return { offset, expected: expecting };
    expecting = next;
    offset += token.length;
  }
}

/** What may come after a token, or null when it may not stand here. Keeps `open` up to date. */
function follow(expecting: Expecting, token: string, open: ('{' | '[')[]): Expecting | null {
  const isValue = token === 'string' || token === 'literal';
  if (expecting === 'a value' || expecting === 'a value or ]') {
    if (isValue) return afterValue(open);
    if (token === '{' || token === '[') {
      open.push(token);
      return token === '{' ? 'a key in double quotes or }' : 'a value or ]';
    }
    return token === ']' && expecting === 'a value or ]' ? close(open) : null;
  }
  if (expecting === 'a key in double quotes' || expecting === 'a key in double quotes or }') {
    if (token === 'string') return ':';
    return token === '}' && expecting === 'a key in double quotes or }' ? close(open) : null;
  }
  if (expecting === ', or }') return token === ',' ? 'a key in double quotes' : token === '}' ? close(open) : null;
  if (expecting === ', or ]') return token === ',' ? 'a value' : token === ']' ? close(open) : null;
  return expecting === ':' && token === ':' ? 'a value' : null;
}

function close(open: ('{' | '[')[]): Expecting {
  open.pop();
  return afterValue(open);
}

function afterValue(open: readonly ('{' | '[')[]): Expecting {
  const inside = open.at(-1);
  return inside === undefined ? 'nothing more' : inside === '{' ? ', or }' : ', or ]';
}
