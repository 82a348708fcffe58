const UNIT_BYTES: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };
const SIZE = /^([0-9]{1,15})([KMGT])$/;

/** `"500M"`, `"2G"` → bytes, by powers of 1024. @throws Error saying what to write */
export function parseSize(text: string): number {
  const [, digits = '', unit = ''] = SIZE.exec(text) ?? [];
  const bytes = Number(digits) * (UNIT_BYTES[unit] ?? Number.NaN);
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new Error(
    `${JSON.stringify(text.slice(0, 60))} is not a size; write a whole number and K, M, G or T, e.g. "500M"`,
  );
}
