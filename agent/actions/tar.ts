/** Tar archives of small files, as POSIX.1-1988 (ustar) has them; every tar reads it. */

export type TarEntry = { readonly name: string; readonly content: Buffer };

const BLOCK = 512;

/** Files of root's, readable by root alone. @throws Error for a name that is no plain path of at most 100 ASCII characters */
export function tarOf(entries: readonly TarEntry[], at: Date): Buffer {
  const parts = entries.flatMap(({ name, content }) => [
    header(name, content.length, at),
    content,
    Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header(name: string, size: number, at: Date): Buffer {
  if (!/^[!-~]{1,100}$/.test(name) || name.startsWith('/') || name.split('/').includes('..'))
    throw new Error(`${JSON.stringify(name)} cannot be the name of a file in an archive`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, '0')}\0`;
  const fields: readonly (readonly [offset: number, text: string])[] = [
    [0, name],
    [100, octal(0o600, 8)],
    [108, octal(0, 8)],
    [116, octal(0, 8)],
    [124, octal(size, 12)],
    [136, octal(Math.floor(at.getTime() / 1000), 12)],
    [148, ' '.repeat(8)],
    [156, '0'],
    [257, 'ustar\u000000'],
    [265, 'root'],
    [297, 'root'],
  ];
  for (const [offset, text] of fields) block.write(text, offset, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
