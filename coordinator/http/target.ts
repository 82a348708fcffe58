const MAX_PATH = 1024;
const MAX_QUERY = 2048;
const PRINTABLE = /^[\x21-\x7e]*$/;
const FORBIDDEN = ['%', '//', '\\', '..', ';', '#'] as const;

/**
 * Why a raw request target is refused before anything looks at it; null when it is fine. Paths of this API are plain words, so all that
 * could be read in two ways is refused: encoded bytes, empty and parent segments, parameters. Queries may hold %XX.
 */
export function badTarget(target: string): string | null {
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  const query = mark === -1 ? '' : target.slice(mark + 1);
  if (!path.startsWith('/')) return 'the path must begin with /';
  if (path.length > MAX_PATH) return `the path is longer than ${MAX_PATH} bytes`;
  if (query.length > MAX_QUERY) return `the query is longer than ${MAX_QUERY} bytes`;
  if (!PRINTABLE.test(path) || !PRINTABLE.test(query))
    return 'only printable ASCII may stand in it; encode the rest of a query as %XX';
  const found = FORBIDDEN.find((text) => path.includes(text));
  if (found !== undefined) return `a path may not hold ${found}`;
  return query.includes('#') || query.includes('\\') ? 'a query may not hold # or \\; encode them' : null;
}
