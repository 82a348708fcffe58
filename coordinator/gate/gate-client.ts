/**
 * The way to the gate: many callers' operations share an Update (docs/protocol.md §1.2). Two batches are in flight, one after the server
 * refused more; a batch whose outcome is unknown is sent again with the same ids until it is known or its operations' time is over.
 */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { gateWorkflowId, PROTOCOL } from '../../workflows/contract.ts';
import {
  CLOCK_SKEW_MS,
  LEASE_PAGE,
  RESET,
  type Answer,
  type Batch,
  type BatchAnswer,
  type GateSummary,
  type LeaseSummary,
  type LimitSummary,
  type Operation,
  type TargetRef,
  type WaitingSummary,
} from '../../workflows/gate/operations.ts';
import { grpcCode, isClosed, isNotFound, type Temporal } from '../temporal.ts';
import { BATCH_OPERATIONS, GroupCommit } from './group-commit.ts';
import type { KnownLease } from './known-lease.ts';
import { hasEnded, isExhausted, repeatAfterMs, RESOURCE_EXHAUSTED } from './update-failure.ts';

/** Longer than it takes another coordinator to take the gate over; then it is sent again with the same ids, which finds the lost again. */
const UPDATE_DEADLINE_MS = 3_000;
const OPERATION_DEADLINE_MS = 10_000;
/** What nobody waits for goes with the next batch, or alone after so long. */
const RIDE_MS = 250;
const RETRY_MS = 150;
const QUERY_PATIENCE_MS = 3_000;
/** gRPC: what the server says of a workflow whose task keeps failing. */
const FAILED_PRECONDITION = 9;

/** No decision could be taken; asking again with the same id is always safe. */
export class GateUnavailableError extends Error {
  override readonly name = 'GateUnavailableError';
  readonly code:
    | 'gate_missing'
    | 'gate_unreachable'
    | 'gate_quarantined'
    | 'gate_opening'
    | 'audit_unavailable'
    | 'clock_skew'
    | 'operation_refused';
  constructor(code: GateUnavailableError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

type Waiting = {
  readonly operation: Operation;
  readonly deadline: number;
  /** When it may go alone, on the monotonic clock. */
  readonly due: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
};

export type GateClientOptions = {
  readonly temporal: Temporal;
  readonly domain: string;
  /** This coordinator's name. */
  readonly name: string;
  readonly known: KnownLease;
  readonly log: Logger;
  readonly onBatch?: (operations: number, ms: number) => void;
  /** Of each answer, before it is passed on: what this gives is waited for. */
  readonly onAnswer?: (operation: Operation, answer: Answer) => Promise<void> | null;
  /** Why an operation may not be sent now. */
  readonly forbids?: (operation: Operation) => string | null;
  /** The gate has ended, was reset, or does not answer: whoever looks after it had better look. */
  readonly onLost?: () => void;
};

export class GateClient {
  readonly #options: GateClientOptions;
  readonly #commit = new GroupCommit();
  #waiting: Waiting[] = [];
  #wake: NodeJS.Timeout | null = null;
  #closed = false;
  #asked: Promise<unknown> = Promise.resolve();

  constructor(options: GateClientOptions) {
    this.#options = options;
  }

  /** @throws GateUnavailableError when no answer could be had in time; whether it was applied is then unknown. */
  async submit(operation: Operation, deadlineMs = OPERATION_DEADLINE_MS): Promise<Answer> {
    const due = this.#commit.came(performance.now());
    try {
      return await this.#add(operation, deadlineMs, due);
    } finally {
      this.#commit.answered();
    }
  }

  /** For what nobody waits for: shares the next Update instead of causing one. @throws GateUnavailableError */
  ride(operation: Operation): Promise<Answer> {
    return this.#add(operation, OPERATION_DEADLINE_MS, performance.now() + RIDE_MS);
  }

  #add(operation: Operation, deadlineMs: number, due: number): Promise<Answer> {
    const forbidden = this.#options.forbids?.(operation) ?? null;
    if (forbidden !== null) return Promise.reject(new GateUnavailableError('audit_unavailable', forbidden));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operation, deadline: Date.now() + deadlineMs, due, resolve, reject });
      this.#pump();
    });
  }

  close(): void {
    this.#closed = true;
    if (this.#wake !== null) clearTimeout(this.#wake);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(unreachable('the coordinator is stopping'));
  }

  /** @throws GateUnavailableError when there is no gate, TemporalUnreachableError */
  summary(): Promise<GateSummary> {
    return this.#query('summary', 'ask the gate for its state');
  }

  /** @throws GateUnavailableError when there is no gate, TemporalUnreachableError */
  async leases(): Promise<LeaseSummary[]> {
    const all: LeaseSummary[] = [];
    for (;;) {
      const after = all.at(-1)?.lease;
      const page = await this.#query<LeaseSummary[]>('leases', 'ask the gate for its leases', { after });
      all.push(...page);
      if (page.length < LEASE_PAGE) return all;
    }
  }

  /** What waits. @throws as `summary` */
  waiting(): Promise<WaitingSummary[]> {
    return this.#query('waiting', 'ask the gate what waits');
  }

  /** Each limit of a workflow as it stands for a target. @throws as `summary` */
  explain(workflow: string, target: TargetRef): Promise<LimitSummary[]> {
    return this.#query('explain', 'ask the gate for its limits', { w: workflow, t: target });
  }

  /** One after the other: while a gate has work to do, the server keeps a single query waiting for it and refuses the rest. */
  #query<T>(name: string, what: string, ...args: readonly unknown[]): Promise<T> {
    const answer = this.#asked.then(() => this.#ask<T>(name, what, args));
    this.#asked = answer.catch(() => undefined);
    return answer;
  }

  async #ask<T>(name: string, what: string, args: readonly unknown[]): Promise<T> {
    const deadline = Date.now() + QUERY_PATIENCE_MS;
    for (;;) {
      try {
        return await this.#options.temporal.call(what, () => this.#handle().query<T, unknown[]>(name, ...args));
      } catch (error) {
        if (isClosed(error) || isNotFound(error)) throw missing(this.#options.domain, error);
        // Its workflow task fails just then, as while it is taken over on a busy machine.
        if (grpcCode(error) === FAILED_PRECONDITION) throw unreachable('the gate is being taken over', error);
        // Another coordinator's query waits there.
        if (grpcCode(error) !== RESOURCE_EXHAUSTED || Date.now() > deadline || this.#closed) throw error;
        await pause(RETRY_MS * (0.5 + Math.random()));
      }
    }
  }

  #handle() {
    return this.#options.temporal.control.workflow.getHandle(gateWorkflowId(this.#options.domain));
  }

  #pump(): void {
    while (!this.#closed && this.#mayGo()) {
      const batch = this.#waiting.splice(0, BATCH_OPERATIONS);
      const began = performance.now();
      this.#commit.sent(began);
      this.#send(batch)
        .then(
          () => this.#commit.returned(performance.now(), performance.now() - began),
          (error: unknown) => {
            this.#commit.returned(performance.now(), null);
            batch.forEach((one) => one.reject(asError(error)));
          },
        )
        .finally(() => this.#pump());
    }
  }

  #mayGo(): boolean {
    const earliest = Math.min(...this.#waiting.slice(0, BATCH_OPERATIONS).map((one) => one.due));
    const wait = this.#commit.wait(performance.now(), this.#waiting.length, earliest);
    if (wait === null) return false;
    if (wait === 0) return true;
    if (this.#wake !== null) clearTimeout(this.#wake);
    this.#wake = setTimeout(() => this.#pump(), Math.max(wait, 1));
    return false;
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    let updateId = randomUUID();
    const began = performance.now();
    let deadline = Math.max(...batch.map((one) => one.deadline));
    let lastTry = false;
    for (;;) {
      try {
        const answer = await this.#update(updateId, batch);
        const inTime = Date.now() + RETRY_MS < deadline;
        // A machine that stood still leaves batches older than their time: what answers now would decide at once, so it is asked once more.
        const overslept: boolean = !inTime && !lastTry && answer.status === 'clock_skew';
        if (overslept) deadline = Date.now() + UPDATE_DEADLINE_MS;
        lastTry ||= overslept;
        if ((inTime || overslept) && isUndecided(answer)) {
          // Nothing of it was decided, and that will pass: it is sent anew.
          updateId = randomUUID();
          if (isReset(answer)) this.#options.onLost?.();
          if (answer.status !== 'clock_skew') await pause(RETRY_MS);
          continue;
        }
        this.#options.onBatch?.(batch.length, performance.now() - began);
        return this.#deliver(batch, answer);
      } catch (error) {
        await this.#afterFailure(error, updateId, deadline);
      }
    }
  }

  /** Returns when the same Update is to be sent again. @throws when it is not */
  async #afterFailure(error: unknown, updateId: string, deadline: number): Promise<void> {
    const { domain, log, onLost } = this.#options;
    const exhausted = isExhausted(error);
    const pauseMs = exhausted ? this.#commit.exhausted(performance.now()) : repeatAfterMs(error);
    const late = Date.now() + (pauseMs ?? RETRY_MS) >= deadline;
    // A gate that has ended is replaced within seconds, when somebody looks after it; one that never was is not.
    const replaced = hasEnded(error) && onLost !== undefined;
    if (isNotFound(error) && (late || !replaced)) throw missing(domain, error);
    if ((pauseMs === null && !replaced) || this.#closed) throw error;
    if (!exhausted) onLost?.();
    if (late) throw unreachable('Temporal or the gate did not answer in time', error);
    log.debug({ error, updateId, code: grpcCode(error) }, 'gate update repeated with the same ids');
    await pause(pauseMs ?? RETRY_MS);
  }

  #update(updateId: string, waiting: readonly Waiting[]): Promise<BatchAnswer> {
    const { name, known, temporal } = this.#options;
    const batch: Batch = {
      protocol: PROTOCOL,
      from: name,
      clock: Date.now(),
      knows: known.highest(),
      ops: waiting.map((one) => one.operation),
    };
    return temporal.call(
      'ask the gate',
      () => this.#handle().executeUpdate<BatchAnswer, [Batch]>('exchange', { args: [batch], updateId }),
      UPDATE_DEADLINE_MS,
    );
  }

  #deliver(batch: readonly Waiting[], answer: BatchAnswer): void {
    if (answer.status === 'clock_skew') {
      const apart = Math.round((Date.now() - answer.now) / 1000);
      if (Math.abs(apart) * 1000 < CLOCK_SKEW_MS) throw unreachable('the gate took too long to read it');
      throw new GateUnavailableError(
        'clock_skew',
        `this coordinator's clock is ${apart} s from the gate's: check time synchronisation`,
      );
    }
    if (answer.status !== 'ok') {
      throw new GateUnavailableError(
        'gate_opening',
        'the gate took over from a run that was lost and looks at every lease before it decides; ask again with the same request_id',
      );
    }
    batch.forEach((one, index) => {
      const given = answer.answers[index];
      if (given === undefined)
        return one.reject(new GateUnavailableError('operation_refused', 'the gate left an operation unanswered'));
      if (given.a === 'admitted') this.#options.known.saw(given.l);
      const refusal = refusalOf(given);
      if (refusal === null) this.#give(one, given);
      else one.reject(refusal);
    });
  }

  #give(one: Waiting, answer: Answer): void {
    const written = this.#options.onAnswer?.(one.operation, answer) ?? null;
    if (written === null) return one.resolve(answer);
    written.then(
      () => one.resolve(answer),
      (error: unknown) => {
        const why = 'it was decided, but not written down, so it is not given out; ask again with the same request_id';
        one.reject(new GateUnavailableError('audit_unavailable', why, error));
      },
    );
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The gate is opening, was reset, or the batch was so long under way that the clocks seemed apart. */
const isUndecided = (answer: BatchAnswer): boolean =>
  answer.status === 'opening' ||
  (answer.status === 'clock_skew' && Math.abs(Date.now() - answer.now) < CLOCK_SKEW_MS) ||
  isReset(answer);

const isReset = (answer: BatchAnswer): boolean =>
  answer.status === 'ok' && answer.answers.some((one) => one.a === 'quarantined' && one.why.startsWith(RESET));

/** Answers that are no decision. */
function refusalOf(answer: Answer): GateUnavailableError | null {
  if (answer.a === 'quarantined') return new GateUnavailableError('gate_quarantined', answer.why);
  if (answer.a === 'malformed')
    return new GateUnavailableError('operation_refused', `the gate refused an operation: ${answer.why}`);
  return null;
}

const unreachable = (why: string, cause?: unknown): GateUnavailableError =>
  new GateUnavailableError(
    'gate_unreachable',
    `no decision could be taken: ${why}; ask again with the same request_id`,
    cause,
  );

const missing = (domain: string, cause: unknown): GateUnavailableError => {
  const why = isClosed(cause)
    ? `the gate of domain "${domain}" has ended and no coordinator has taken over from it yet; ask again, and if that lasts run: fettle doctor`
    : `there is no gate for domain "${domain}"; run: fettle setup temporal`;
  return new GateUnavailableError('gate_missing', why, cause);
};

const asError = (error: unknown): Error =>
  error instanceof GateUnavailableError ? error : unreachable(String(error), error);
