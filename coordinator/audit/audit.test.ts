/** The audit chain on real files: every way to tamper with it shows, crashes and rotations do not break it. */
import assert from 'node:assert/strict';
import { readdir, readFile, rename, stat, symlink, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { eventually, startProcess, temporaryDirectory } from '../../test/support/processes.ts';
import { AuditUnavailableError, openAuditStream, type AuditStream } from './audit-stream.ts';
import { NOTHING, readLine, writeLine } from './chain.ts';
import { verifyAudit } from './verify.ts';

const log = { info: () => undefined, error: () => undefined };

describe('the audit chain', () => {
  const stack = new AsyncDisposableStack();
  let directory: string;
  let names = 0;
  before(async () => {
    directory = stack.use(await temporaryDirectory()).path;
  });
  after(() => stack.disposeAsync());

  const place = (): { file: string; headFile: string } => {
    const name = path.join(directory, `chain-${(names += 1)}`);
    return { file: `${name}.jsonl`, headFile: `${name}.head` };
  };
  const open = (at: { file: string; headFile: string }, maxBytes: number | null = null): Promise<AuditStream> =>
    openAuditStream({ ...at, maxBytes, writer: { coordinator: 'c1' }, log });
  const fill = async (stream: AuditStream, count: number): Promise<void> => {
    await Promise.all(Array.from({ length: count }, (_, n) => stream.write({ kind: 'decision', request: `r${n}` })));
  };
  /** A file with a start line and ten decisions, and its lines. */
  const filled = async (): Promise<{ file: string; headFile: string; lines: string[] }> => {
    const at = place();
    const stream = await open(at);
    await fill(stream, 10);
    await stream.close();
    return { ...at, lines: (await readFile(at.file, 'utf8')).trimEnd().split('\n') };
  };
  const afterwards = async (file: string, lines: readonly string[]) => {
    await writeFile(file, lines.map((line) => `${line}\n`).join(''));
    return verifyAudit([file]);
  };

  it('is whole as it was written, each line linked to the one before', async () => {
    const { file, lines } = await filled();
    const verdict = await verifyAudit([file]);
    assert.deepEqual(
      { whole: verdict.whole, lines: verdict.lines, markers: verdict.markers },
      { whole: true, lines: 11, markers: [] },
    );
    assert.equal(verdict.begins_midway, false);
    const first: { kind: string; seq: number; prev: string } = JSON.parse(lines[0] ?? '');
    assert.deepEqual([first.kind, first.seq, first.prev], ['opened', 1, NOTHING.hash]);
    const last = readLine(lines.at(-1) ?? '');
    assert.ok(last.good && last.hash === verdict.last?.hash);
  });

  it('shows a line that was edited, and which', async () => {
    const { file, lines } = await filled();
    const edited = lines.with(4, (lines[4] ?? '').replace('"request":"r3"', '"request":"r9"'));
    const { broken } = await afterwards(file, edited);
    assert.deepEqual([broken?.line, broken?.code], [5, 'changed']);
  });

  it('shows a line that was edited and given a hash that fits it', async () => {
    const { file, lines } = await filled();
    const old = readLine(lines[4] ?? '');
    assert.ok(old.good);
    const { seq, at, prev } = old.line;
    const forged = writeLine({ seq: seq - 1, hash: prev }, Date.parse(at), { kind: 'decision', request: 'forged' });
    const { broken } = await afterwards(file, lines.with(4, forged.text));
    assert.deepEqual([broken?.line, broken?.code], [6, 'not_linked']);
  });

  it('shows a line that was taken out', async () => {
    const { file, lines } = await filled();
    const { broken } = await afterwards(file, lines.toSpliced(4, 1));
    assert.deepEqual([broken?.line, broken?.code], [5, 'missing']);
    assert.match(broken?.message ?? '', /number 5 is missing/);
  });

  it('shows lines that changed places, a line that was repeated, and one that was put in', async () => {
    const { file, lines } = await filled();
    const [fifth = '', sixth = ''] = lines.slice(4, 6);
    assert.equal((await afterwards(file, lines.toSpliced(4, 2, sixth, fifth))).broken?.line, 5);
    assert.deepEqual((await afterwards(file, lines.toSpliced(5, 0, fifth))).broken?.code, 'out_of_order');
    const foreign = writeLine({ seq: 4, hash: NOTHING.hash }, 0, { kind: 'decision' }).text;
    assert.deepEqual((await afterwards(file, lines.toSpliced(4, 0, foreign))).broken?.code, 'not_linked');
    assert.deepEqual((await afterwards(file, lines.toSpliced(4, 0, '{"kind":"decision"}'))).broken?.code, 'not_a_line');
  });

  it('shows an end that was cut off only to who knows where the chain stood', async () => {
    const { file, lines } = await filled();
    const { last } = await verifyAudit([file]);
    assert.ok(last !== null);
    await writeFile(file, lines.slice(0, 6).join('\n') + '\n');
    assert.equal((await verifyAudit([file])).whole, true);
    assert.equal((await verifyAudit([file], last)).broken?.code, 'ends_early');
  });

  it('writes down on the next start that its end was cut off, and what is missing shows', async () => {
    const { file, headFile, lines } = await filled();
    await writeFile(file, lines.slice(0, 6).join('\n') + '\n');
    await (await open({ file, headFile })).close();
    const verdict = await verifyAudit([file]);
    assert.deepEqual([verdict.broken?.line, verdict.broken?.code], [7, 'missing']);
    assert.match((await readFile(file, 'utf8')).split('\n')[6] ?? '', /"lines":5,"marker":"lines_missing"/);
  });

  it('whatever single byte is changed, the chain is not whole any more', async () => {
    const { file, lines } = await filled();
    const text = Buffer.from(lines.join('\n') + '\n');
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 2), fc.integer({ min: 1, max: 255 }), async (at, by) => {
        const changed = Buffer.from(text);
        changed[at] = (changed[at] ?? 0) ^ by;
        await writeFile(file, changed);
        assert.equal((await verifyAudit([file])).whole, false);
      }),
      { numRuns: 300 },
    );
  });

  it('goes on behind a line that a crash tore, and says what it was', async () => {
    const { file, headFile, lines } = await filled();
    await writeFile(file, `${lines.join('\n')}\n{"kind":"decision","requ`);
    assert.deepEqual((await verifyAudit([file])).unfinished, { file, line: 12, bytes: 24 });
    const stream = await open({ file, headFile });
    await fill(stream, 2);
    await stream.close();
    const verdict = await verifyAudit([file]);
    assert.equal(verdict.whole, true, JSON.stringify(verdict.broken));
    assert.deepEqual(
      verdict.markers.map(({ line, marker }) => [line, marker]),
      [[13, 'torn_line']],
    );
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('"requ\n', '"resp\n'));
    assert.equal((await verifyAudit([file])).broken?.code, 'not_a_line', 'what was torn is vouched for too');
  });

  it('is whole after kill -9 while lines are being written, at whatever moment', async () => {
    const at = place();
    for (let round = 0; round < 4; round += 1) {
      const writer = startProcess(
        ['node', path.join(import.meta.dirname, '../../test/support/audit-writer.ts'), at.file, at.headFile],
        {
          name: 'audit writer',
        },
      );
      const before = await stat(at.file).then(
        ({ size }) => size,
        () => 0,
      );
      await eventually(async () => (await stat(at.file)).size > before + 200_000, {
        what: 'lines of the writer',
      });
      await writer.kill();
    }
    await (await open(at)).close();
    const verdict = await verifyAudit([at.file]);
    assert.equal(verdict.broken, null);
    assert.ok(verdict.lines > 500, `${verdict.lines} lines`);
  });

  it('goes on over two rotations by size, and the files make one chain in whatever order they are given', async () => {
    const at = place();
    const stream = await open(at, 2_000);
    for (let turn = 0; turn < 3; turn += 1) await fill(stream, 12);
    await stream.close();
    const all = (await readdir(directory)).filter((name) => name.startsWith(path.basename(at.file)));
    const files = all.map((name) => path.join(directory, name));
    assert.ok(files.length >= 3, all.join());
    const verdict = await verifyAudit(files);
    assert.equal(verdict.whole, true, JSON.stringify(verdict.broken));
    assert.equal(verdict.lines, 36 + 1 + verdict.markers.length);
    const [, middle = ''] = verdict.files;
    assert.equal((await verifyAudit(files.filter((file) => file !== middle))).broken?.code, 'missing');
    assert.equal((await verifyAudit(verdict.files.slice(1))).begins_midway, true);
  });

  it('goes on in a new file when logrotate moved the old one, also while nobody wrote; compressed ones are read', async () => {
    const at = place();
    let stream = await open(at);
    await fill(stream, 3);
    await rename(at.file, `${at.file}.2`);
    await fill(stream, 3);
    await stream.close();
    await rename(at.file, `${at.file}.1`);
    stream = await open(at);
    await fill(stream, 3);
    await stream.close();
    await writeFile(`${at.file}.2.gz`, gzipSync(await readFile(`${at.file}.2`)));
    const verdict = await verifyAudit([at.file, `${at.file}.1`, `${at.file}.2.gz`]);
    assert.equal(verdict.whole, true, JSON.stringify(verdict.broken));
    assert.deepEqual(
      verdict.markers.map(({ marker }) => marker),
      ['file_moved'],
    );
  });

  it('notices a second writer, and its lines show', async () => {
    const at = place();
    const stream = await open(at);
    await fill(stream, 2);
    const other = await open({ file: at.file, headFile: `${at.headFile}.other` });
    await fill(other, 1);
    await other.close();
    await fill(stream, 1);
    await stream.close();
    const verdict = await verifyAudit([at.file]);
    assert.equal(verdict.whole, false);
    assert.match(await readFile(at.file, 'utf8'), /"marker":"file_changed"/);
  });

  it('says at once that a full disk takes no line, keeps what it could not write, and writes it when there is room', async () => {
    const at = place();
    const problems: (string | null)[] = [];
    const stream = await openAuditStream({
      ...at,
      maxBytes: null,
      writer: {},
      log,
      onProblem: (problem) => void problems.push(problem),
    });
    await fill(stream, 1);
    await rename(at.file, `${at.file}.1`);
    await symlink('/dev/full', at.file);
    await assert.rejects(stream.write({ kind: 'decision', request: 'kept' }), AuditUnavailableError);
    assert.match(stream.problem() ?? '', /ENOSPC/);
    await assert.rejects(stream.write({ kind: 'decision', request: 'kept too' }), AuditUnavailableError);
    await unlink(at.file);
    await eventually(() => stream.problem() === null, { what: 'the disk to take lines again' });
    await stream.close();
    assert.equal(problems.length, 2);
    const verdict = await verifyAudit([at.file, `${at.file}.1`]);
    assert.equal(verdict.whole, true, JSON.stringify(verdict.broken));
    assert.match(await readFile(at.file, 'utf8'), /"request":"kept",.*\n.*"request":"kept too"/);
  });

  it('refuses to begin where it cannot write, and names the file', async () => {
    await assert.rejects(
      open({ ...place(), file: '/proc/nowhere/audit.jsonl' }),
      /\/proc\/nowhere\/audit\.jsonl cannot be written/,
    );
  });

  it('holds hostile text in one bounded line', async () => {
    const at = place();
    const stream = await open(at);
    await stream.write({ kind: 'decision', request: `a\n{"kind":"decision"}\u2028\ud800${'x'.repeat(10_000)}` });
    await stream.close();
    const verdict = await verifyAudit([at.file]);
    assert.deepEqual([verdict.whole, verdict.lines], [true, 2]);
    assert.ok((await stat(at.file)).size < 4_000);
  });
});
