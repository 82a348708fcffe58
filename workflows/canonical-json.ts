/**
 * The one way a value is written when its digest matters: keys sorted by code unit, no white space, numbers as JavaScript prints
 * them. Two parties that hold equal values get equal bytes.
 * @throws TypeError for what JSON cannot carry exactly: NaN, infinities, integers beyond 2^53, lone surrogates, undefined inside a list.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return canonicalNumber(value);
  if (typeof value === 'string') return canonicalString(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object') {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    members.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([key, member]) => `${canonicalString(key)}:${canonicalJson(member)}`).join(',')}}`;
  }
  throw new TypeError(`no canonical JSON for ${typeof value}`);
}

function canonicalNumber(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError(`no canonical JSON for ${value}`);
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw new TypeError(`integer ${value} is not exact`);
  return JSON.stringify(value);
}

function canonicalString(value: string): string {
  if (!value.isWellFormed()) throw new TypeError('no canonical JSON for a string with a lone surrogate');
  return JSON.stringify(value);
}
