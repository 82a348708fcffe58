/** Writes audit lines without end, for tests that kill it: `node audit-writer.ts FILE HEAD-FILE`. */
import { openAuditStream } from '../../coordinator/audit/audit-stream.ts';

const [, , file = '', headFile = ''] = process.argv;
const log = { info: () => undefined, error: () => undefined };
const stream = await openAuditStream({ file, headFile, maxBytes: null, writer: { pid: process.pid }, log });
for (let n = 0; ; n += 20) {
  const some = Array.from({ length: 20 }, (_, i) =>
    stream.write({ kind: 'decision', n: n + i, text: 'x'.repeat(1_000) }),
  );
  await Promise.all(some);
}
