/** Strict reader of DER, as much as X.509 certificates need. Node shows neither key usage bits nor unsplit alternative names. */

/** Tags used in certificates. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const;

export type DerValue = { readonly tag: number; readonly content: Buffer };

export class DerError extends Error {
  override readonly name = 'DerError';
}

/** All values that stand one after another in `bytes`. @throws DerError when the bytes are not exactly that. */
export function readDerAll(bytes: Buffer): DerValue[] {
  const values: DerValue[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const { value, next } = readDerAt(bytes, offset);
    values.push(value);
    offset = next;
  }
  return values;
}

/** The one value that fills `bytes`, of the tag expected. @throws DerError */
export function readDer(bytes: Buffer, tag: number): DerValue {
  const values = readDerAll(bytes);
  if (values.length !== 1) throw new DerError(`expected one value, found ${values.length}`);
  return expectTag(values[0], tag);
}

/** @throws DerError when the value is absent or of another tag. */
export function expectTag(value: DerValue | undefined, tag: number): DerValue {
  if (value === undefined) throw new DerError(`a value of tag ${hex(tag)} is missing`);
  if (value.tag !== tag) throw new DerError(`expected tag ${hex(tag)}, found ${hex(value.tag)}`);
  return value;
}

function readDerAt(bytes: Buffer, offset: number): { value: DerValue; next: number } {
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined) throw new DerError('it ends within a value');
  if ((tag & 0x1f) === 0x1f) throw new DerError('tags over 30 are not used in certificates');
  let start = offset + 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 4) throw new DerError('a length is not in DER form');
    if (start + count > bytes.length) throw new DerError('it ends within a length');
    length = bytes.readUIntBE(start, count);
    start += count;
    const shortest = length < 0x80 ? 0 : Math.ceil(length.toString(16).length / 2);
    if (shortest !== count) throw new DerError('a length is longer than it need be');
  }
  if (start + length > bytes.length) throw new DerError('a value is cut off');
  return { value: { tag, content: bytes.subarray(start, start + length) }, next: start + length };
}

/** Dotted text of an object identifier. @throws DerError */
export function readOid(value: DerValue | undefined): string {
  const { content } = expectTag(value, TAG.oid);
  const parts: number[] = [];
  let part = 0;
  for (const byte of content) {
    part = part * 128 + (byte & 0x7f);
    if (part > Number.MAX_SAFE_INTEGER / 128) throw new DerError('an object identifier has too large a part');
    if (byte < 0x80) {
      parts.push(part);
      part = 0;
    }
  }
  const head = parts.shift();
  if (head === undefined || ((content.at(-1) ?? 0x80) & 0x80) !== 0) {
    throw new DerError('an object identifier is cut off');
  }
  const top = Math.min(2, Math.floor(head / 40));
  return [top, head - top * 40, ...parts].join('.');
}

/** Milliseconds since the epoch of a UTCTime or GeneralizedTime in the forms RFC 5280 allows. @throws DerError */
export function readTime(value: DerValue | undefined): number {
  const text = value?.content.toString('latin1') ?? '';
  const long = value?.tag === TAG.generalizedTime;
  if (!long && value?.tag !== TAG.utcTime) throw new DerError('a date is missing');
  const match = (long ? /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/).exec(
    text,
  );
  if (match === null) throw new DerError('a date is not in the form that certificates use');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  // Two-digit years mean 1950-2049 (RFC 5280, 4.1.2.5.1).
  const full = long ? year : year < 50 ? 2000 + year : 1900 + year;
  return Date.UTC(full, month - 1, day, hour, minute, second);
}

/** @throws DerError unless the value is DER's TRUE or FALSE. */
export function readBoolean(value: DerValue | undefined): boolean {
  const { content } = expectTag(value, TAG.boolean);
  if (content.length !== 1 || (content[0] !== 0xff && content[0] !== 0))
    throw new DerError('a boolean is not in DER form');
  return content[0] === 0xff;
}

const hex = (tag: number): string => `0x${tag.toString(16).padStart(2, '0')}`;
