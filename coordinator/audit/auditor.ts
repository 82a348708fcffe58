/**
 * What of a coordinator's doings is written down, and where: to the audit file when one is configured, else as lines of its log. With
 * `required` no decision is asked for while the file takes no lines, and none is given out before its line is on disk.
 */
import path from 'node:path';
import type { Logger } from 'pino';
import type { AuditConfig } from '../../config/coordinator.ts';
import type { Answer, Operation } from '../../workflows/gate/operations.ts';
import { callerRef } from '../caller-ref.ts';
import { openAuditStream, type AuditStream } from './audit-stream.ts';
import type { AuditFields } from './chain.ts';
import { auditLine } from './decision-line.ts';
import { limitRefusals, type RefusedCaller } from './refused-callers.ts';

/** Callers whose whole text is remembered. */
const MAX_CALLERS = 5_000;
/** Where the chain stands is said in the log so often, so that a cut end of the file can be found out by it. */
const TELL_HEAD_MS = 60 * 60_000;

export type Auditor = {
  /** Of each answer of the gate; what it gives is to be waited for before the answer is passed on. */
  readonly answered: (operation: Operation, answer: Answer) => Promise<void> | null;
  /** Why this may not be asked now; null: it may. */
  readonly forbids: (operation: Operation) => string | null;
  /** A caller whose text the gate may know shortened. */
  readonly heard: (caller: string) => void;
  readonly refused: (caller: RefusedCaller) => void;
  /** Something else that a person did here. */
  readonly note: (fields: AuditFields) => void;
  /** For `/v1/status`: what is wrong with the file now. */
  readonly warnings: () => readonly string[];
  readonly close: () => Promise<void>;
};

export type AuditorOptions = {
  readonly config: AuditConfig | null;
  /** This coordinator's. */
  readonly name: string;
  readonly version: string;
  readonly stateDir: string;
  readonly log: Logger;
  readonly onProblem?: (failing: boolean) => void;
};

/** @throws AuditUnavailableError when the file cannot be written */
export async function openAuditor(options: AuditorOptions): Promise<Auditor> {
  const { config, log } = options;
  const stream = config === null ? null : await openStream(options, config);
  const required = config?.required === true;
  const callers = new Map<string, string>();
  const write = (fields: AuditFields): Promise<void> => {
    if (stream !== null) return stream.write(fields);
    const { kind, ...rest } = fields;
    log.info({ audit: kind, ...rest }, `audit: ${kind}`);
    return Promise.resolve();
  };
  // The stream itself says that a line did not reach the disk, and keeps it.
  const note = (fields: AuditFields): void => void write(fields).catch(() => undefined);
  const refusals = limitRefusals(note);
  const head = stream === null ? null : tellHead(stream, log);
  return {
    answered: (operation, answer) => {
      const line = auditLine(operation, answer, (short) => callers.get(short) ?? short);
      if (line === null) return null;
      const written = write(line);
      if (required && (operation.op === 'ask' || operation.op === 'approve')) return written;
      written.catch(() => undefined);
      return null;
    },
    forbids: ({ op }) => {
      const problem = stream?.problem() ?? null;
      if (!required || problem === null || (op !== 'ask' && op !== 'approve')) return null;
      return `the audit file takes no lines (${problem}), and without its line nothing is decided here (required = true)`;
    },
    heard: (caller) => {
      const short = callerRef(caller);
      if (short === caller || callers.has(short)) return;
      if (callers.size >= MAX_CALLERS) callers.clear();
      callers.set(short, caller);
    },
    refused: (caller) => refusals.refused(caller),
    note,
    warnings: () => {
      const problem = stream?.problem() ?? null;
      return problem === null ? [] : [`audit lines cannot be written to ${config?.file}: ${problem}`];
    },
    close: async () => {
      head?.();
      refusals.close();
      await stream?.close();
    },
  };
}

const openStream = (
  { name, version, stateDir, log, onProblem }: AuditorOptions,
  config: AuditConfig,
): Promise<AuditStream> =>
  openAuditStream({
    file: config.file,
    headFile: path.join(stateDir, 'audit-head.json'),
    maxBytes: config.maxBytes,
    writer: { coordinator: name, version, pid: process.pid },
    log,
    onProblem: (problem) => onProblem?.(problem !== null),
  });

function tellHead(stream: AuditStream, log: Logger): () => void {
  const tell = (): void => {
    const { seq, hash } = stream.head();
    log.info({ head: `${seq}:${hash}` }, 'the audit chain stands here');
  };
  tell();
  const timer = setInterval(tell, TELL_HEAD_MS);
  return () => {
    clearInterval(timer);
    tell();
  };
}
