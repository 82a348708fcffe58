/**
 * Messages on their way to the coordinator. One lane per fault identity keeps their order; a coordinator that is away is asked again
 * with the same request id until the message has lost its meaning. Nothing leaves without its sender being told what became of it.
 */
import type { Logger } from 'pino';
import { pause } from '../sources/pause.ts';
import type { ApiEpisodeReport, ApiRequest } from '../workflows/api.ts';
import { type CoordinatorPort, type PortFailure, readFailure } from './coordinator-port.ts';
import type { Outcome } from './fault.ts';
import type { TriggerMetrics } from './trigger-metrics.ts';

type Message = {
  /** For metrics and logs. */
  readonly trigger: string;
  readonly identity: string;
  /** Not sent after this instant (monotonic milliseconds): evidence void, or the fault long forgotten. */
  readonly voidAt: number;
};
export type RequestMessage = Message & {
  readonly kind: 'request';
  readonly body: ApiRequest;
  /** Told exactly once, unless the outbox is closed first. */
  readonly settle: (outcome: Outcome) => void;
};
export type ReportMessage = Message & {
  readonly kind: 'report';
  readonly report: ApiEpisodeReport;
  readonly settle: (open: boolean) => void;
};
export type OutboxMessage = RequestMessage | ReportMessage;

export type OutboxDeps = {
  readonly client: CoordinatorPort;
  readonly log: Logger;
  readonly metrics: TriggerMetrics;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** At most so many messages in all lanes; more are dropped, said so, and asked for again by the next look. */
  readonly capacity?: number;
  /** First and longest wait between two tries, milliseconds. */
  readonly backoff?: { readonly firstMs: number; readonly mostMs: number };
  /** At most so many calls at once. */
  readonly parallel?: number;
};

type Lane = { readonly queue: OutboxMessage[]; inFlight: boolean; readonly done: Promise<void> };

export class Outbox {
  readonly #deps: Required<OutboxDeps>;
  readonly #lanes = new Map<string, Lane>();
  readonly #closing = new AbortController();
  /** Ends calls that outlive the grace time. */
  readonly #cut = new AbortController();
  #size = 0;
  #free: number;
  readonly #turns: (() => void)[] = [];

  constructor(deps: OutboxDeps) {
    this.#deps = { capacity: 2_000, backoff: { firstMs: 500, mostMs: 15_000 }, parallel: 16, ...deps };
    this.#free = this.#deps.parallel;
  }

  /** Messages not yet delivered. */
  get size(): number {
    return this.#size;
  }

  /** Takes a message behind those of its identity that still matter. `lane` is unique to a fault's identity. */
  push(lane: string, message: OutboxMessage): void {
    if (this.#closing.signal.aborted) return this.#drop(message, 'stopped');
    this.#makeObsolete(lane, message);
    if (this.#size >= this.#deps.capacity) return this.#drop(message, 'full');
    this.#setSize(1);
    const known = this.#lanes.get(lane);
    if (known !== undefined) {
      known.queue.push(message);
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const fresh: Lane = { queue: [message], inFlight: false, done: promise };
    this.#lanes.set(lane, fresh);
    void this.#run(lane, fresh).finally(resolve);
  }

  /** Calls back the requests of a trigger that are not in flight. */
  withdraw(trigger: string, reason: 'storm' | 'stopped'): void {
    for (const lane of this.#lanes.values()) {
      this.#remove(lane, (message) => message.kind === 'request' && message.trigger === trigger, reason);
    }
  }

  /** Drops what is not in flight, and waits for what is for at most `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.#closing.abort();
    for (const lane of this.#lanes.values()) this.#remove(lane, () => true, 'stopped');
    const rest = Promise.all([...this.#lanes.values()].map((lane) => lane.done));
    const enough = new AbortController();
    await Promise.race([rest, pause(graceMs, enough.signal)]);
    enough.abort();
    this.#cut.abort();
  }

  /** What a newer message makes pointless: an older report, and, once the fault is over, the request for its remedy. */
  #makeObsolete(name: string, message: OutboxMessage): void {
    const lane = this.#lanes.get(name);
    if (lane === undefined) return;
    const over = message.kind === 'report' && message.report.state === 'resolved';
    this.#remove(lane, (older) => (older.kind === 'request' ? over : older.report.state === 'seen'), 'over');
  }

  #remove(lane: Lane, which: (message: OutboxMessage) => boolean, reason: 'storm' | 'stopped' | 'over'): void {
    const kept = lane.queue.slice(0, lane.inFlight ? 1 : 0);
    const rest = lane.queue.slice(kept.length);
    lane.queue.splice(0, lane.queue.length, ...kept, ...rest.filter((message) => !which(message)));
    for (const message of rest.filter(which)) {
      this.#setSize(-1);
      this.#drop(message, reason);
    }
  }

  async #run(name: string, lane: Lane): Promise<void> {
    let wait = this.#deps.backoff.firstMs;
    for (let message = lane.queue[0]; message !== undefined; message = lane.queue[0]) {
      const failure = await this.#try(lane, message);
      if (failure === null) {
        wait = this.#deps.backoff.firstMs;
        continue;
      }
      // Random, so that lanes and daemons that lost the coordinator at once don't come back at once.
      const ms = Math.max(wait * (0.5 + Math.random()), (failure.retryAfterS ?? 0) * 1000);
      // A timer may fire a fraction early: one more millisecond, so that a message is not tried again in its last one.
      const left = Math.max(0, message.voidAt - this.#deps.now()) + 1;
      await pause(Math.min(ms, left), this.#closing.signal);
      wait = Math.min(wait * 2, this.#deps.backoff.mostMs);
    }
    this.#lanes.delete(name);
  }

  /** Tries the head of a lane once; null when it is done with, else why to try again. */
  async #try(lane: Lane, message: OutboxMessage): Promise<PortFailure | null> {
    if (this.#deps.now() >= message.voidAt) return this.#finish(lane, () => this.#drop(message, 'void'));
    await this.#turn();
    lane.inFlight = lane.queue[0] === message;
    try {
      if (!lane.inFlight) return null;
      // While it waited for its turn.
      if (this.#deps.now() >= message.voidAt) return this.#finish(lane, () => this.#drop(message, 'void'));
      const tell = await this.#deliver(message);
      return this.#finish(lane, tell);
    } catch (error) {
      return this.#failed(lane, message, readFailure(error));
    } finally {
      lane.inFlight = false;
      this.#release();
    }
  }

  async #deliver(message: OutboxMessage): Promise<() => void> {
    const { client, log, metrics } = this.#deps;
    if (message.kind === 'report') {
      const { open } = await client.reportEpisode(message.report, { signal: this.#cut.signal });
      metrics.reports.inc({ trigger: message.trigger, state: message.report.state, result: 'delivered' });
      return () => message.settle(open);
    }
    const decision = await client.request(message.body, { signal: this.#cut.signal });
    metrics.requests.inc({ trigger: message.trigger, decision: decision.decision });
    const execution = 'execution' in decision ? { execution: decision.execution } : {};
    const pending = 'pending' in decision ? { pending: decision.pending } : {};
    const why = 'message' in decision ? { why: decision.message } : {};
    const code = 'code' in decision ? { code: decision.code } : {};
    log.info({ ...about(message), ...execution, ...pending, ...code, ...why }, `request ${decision.decision}`);
    return () => message.settle({ kind: 'decision', decision });
  }

  #failed(lane: Lane, message: OutboxMessage, failure: PortFailure): PortFailure | null {
    const { log, metrics } = this.#deps;
    const { retryAfterS, ...why } = failure;
    if (failure.retry) {
      metrics.sendFailures.inc({ trigger: message.trigger });
      log.warn(
        { ...about(message), code: why.code, why: why.message },
        'the coordinator gave no decision; will ask again',
      );
      return this.#closing.signal.aborted ? this.#finish(lane, () => this.#drop(message, 'stopped')) : failure;
    }
    if (message.kind === 'request') {
      metrics.requests.inc({ trigger: message.trigger, decision: 'rejected' });
      return this.#finish(lane, () =>
        message.settle({ kind: 'rejected', code: why.code, message: why.message, retryAfterS }),
      );
    }
    metrics.reports.inc({ trigger: message.trigger, state: message.report.state, result: 'rejected' });
    log.error(
      { ...about(message), code: why.code, why: why.message },
      'the coordinator rejected a report about a fault',
    );
    return this.#finish(lane, () => undefined);
  }

  #finish(lane: Lane, tell: () => void): null {
    lane.queue.shift();
    this.#setSize(-1);
    // After the shift: whoever is told may push the next message into this very lane.
    tell();
    return null;
  }

  #drop(message: OutboxMessage, reason: 'void' | 'full' | 'storm' | 'over' | 'stopped'): void {
    const { log, metrics } = this.#deps;
    metrics.dropped.inc({ trigger: message.trigger, reason });
    if (message.kind === 'report') {
      log.debug({ ...about(message), reason }, 'report dropped');
      return;
    }
    log.warn({ ...about(message), reason }, `request dropped: ${DROPPED[reason]}`);
    message.settle({ kind: 'dropped', reason });
  }

  #setSize(change: number): void {
    this.#size += change;
    this.#deps.metrics.waiting.set(this.#size);
  }

  async #turn(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#turns.push(resolve));
  }

  #release(): void {
    const next = this.#turns.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}

const DROPPED = {
  void: 'its evidence is too old to act on',
  full: 'too many messages wait for the coordinator',
  storm: 'a storm holds this trigger',
  over: 'the fault is over',
  stopped: 'the daemon or the trigger is stopped',
} as const;

const about = (message: OutboxMessage): Record<string, unknown> => ({
  trigger: message.trigger,
  identity: message.identity,
  ...(message.kind === 'request' ? { request: message.body.request_id } : { report: message.report.state }),
});
