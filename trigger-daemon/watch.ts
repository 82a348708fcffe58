/** Watches one trigger: looks at its source again and again, and sends what the pure core makes of it. */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { TriggerConfig } from '../config/trigger-daemon.ts';
import type { MetricSource } from '../sources/metric-source.ts';
import { pause } from '../sources/pause.ts';
import { newTriggerState, reportEveryMs, takeLook } from './episodes.ts';
import type { Clock, Effect, Fault, Outcome, Step, TriggerLook, TriggerState } from './fault.ts';
import { identityDigest, identitySource } from './fault-identity.ts';
import { lookAtSource } from './look.ts';
import { reportFor, requestFor } from './messages.ts';
import { takeEpisodeClosed, takeOutcome } from './outcomes.ts';
import type { Outbox } from './outbox.ts';
import { FAULT_PHASES, TRIGGER_STATES, type TriggerMetrics, type TriggerStanding } from './trigger-metrics.ts';

export type WatchDeps = {
  readonly source: MetricSource;
  readonly outbox: Outbox;
  /** The observer's name: tells two daemons apart that share an identity. */
  readonly observer: string;
  readonly log: Logger;
  readonly metrics: TriggerMetrics;
  readonly clock: () => Clock;
};

/** How a trigger stands, for people. Times are RFC 3339 UTC. */
export type TriggerStatus = {
  readonly trigger: string;
  readonly source: string;
  readonly state: TriggerStanding;
  /** Why it cannot tell, or what holds it; null when all is well. */
  readonly detail: string | null;
  readonly last_look: string | null;
  readonly last_answer: string | null;
  readonly faults: readonly { labels: Fault['labels']; phase: string; began_at: string; detail: string | null }[];
};

/** Longest wait between looks while the source gives no answer, unless `every` is longer. */
const MOST_BACKOFF_MS = 30_000;
/** A request is refused by the gate when older than ten minutes. */
const MOST_REQUEST_AGE_MS = 540_000;
/** First looks are spread over this long at most, so that many triggers don't ask at once. */
const FIRST_LOOK_WITHIN_MS = 2_000;
const STATUS_FAULTS = 100;

export class Watch {
  readonly trigger: TriggerConfig;
  readonly source: MetricSource;
  readonly #deps: WatchDeps;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #state: TriggerState = newTriggerState();
  #detail: string | null = null;
  #lastLook: number | null = null;
  #lastAnswer: number | null = null;

  /** Begins to watch at once. */
  constructor(trigger: TriggerConfig, deps: WatchDeps) {
    this.trigger = trigger;
    this.source = deps.source;
    this.#deps = deps;
    this.#log = deps.log.child({ trigger: trigger.name });
    this.#show();
    this.#loop = this.#run();
  }

  /** Ends the look under way and calls back what waits; faults are left as they are: nobody saw them end. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    this.#deps.outbox.withdraw(this.trigger.name, 'stopped');
    this.#hide();
  }

  status(): TriggerStatus {
    const faults = [...this.#state.faults.values()].slice(0, STATUS_FAULTS).map((fault) => ({
      labels: fault.labels,
      phase: fault.phase.kind,
      began_at: new Date(fault.beganAt).toISOString(),
      detail: faultDetail(fault),
    }));
    return {
      trigger: this.trigger.name,
      source: this.trigger.source,
      state: this.#standing(),
      detail: this.#detail,
      last_look: time(this.#lastLook),
      last_answer: time(this.#lastAnswer),
      faults,
    };
  }

  async #run(): Promise<void> {
    const { everyMs } = this.trigger;
    const { signal } = this.#stop;
    let failures = 0;
    let due = this.#deps.clock().mono + Math.random() * Math.min(everyMs, FIRST_LOOK_WITHIN_MS);
    while (!signal.aborted) {
      await pause(due - this.#deps.clock().mono, signal);
      if (signal.aborted) return;
      const began = this.#deps.clock().mono;
      this.#deps.metrics.lag.set({ trigger: this.trigger.name }, Math.max(0, began - due) / 1000);
      const look = await this.#look(signal).catch((error: unknown): TriggerLook => {
        this.#log.error({ err: error }, 'a look could not be taken into account');
        return { kind: 'failed', message: 'internal error, see the log' };
      });
      if (signal.aborted) return;
      failures = look.kind === 'answer' ? 0 : failures + 1;
      // The next look begins only when this one has ended: never two in flight.
      due = Math.max(this.#deps.clock().mono, began + nextLookIn(everyMs, failures));
    }
  }

  async #look(signal: AbortSignal): Promise<TriggerLook> {
    const { clock, metrics, source } = this.#deps;
    const { name } = this.trigger;
    const began = clock().mono;
    const look = await lookAtSource(this.trigger, source, signal, () => clock().wall);
    if (signal.aborted) return look;
    metrics.looks.inc({ trigger: name, result: look.kind });
    metrics.lookSeconds.observe({ trigger: name }, (clock().mono - began) / 1000);
    this.#lastLook = clock().wall;
    this.#note(look);
    this.#take(takeLook(this.#state, look, this.trigger, clock()));
    return look;
  }

  /** Says in the log when looks begin to fail and when they give answers again, not each time. */
  #note(look: TriggerLook): void {
    const before = this.#detail;
    if (look.kind === 'answer') {
      this.#lastAnswer = this.#deps.clock().wall;
      this.#deps.metrics.lastAnswer.set({ trigger: this.trigger.name }, this.#lastAnswer / 1000);
      this.#detail = null;
      if (before !== null) this.#log.info('the source gives answers again');
      return;
    }
    this.#detail = `${look.kind}: ${look.message}`;
    if (before !== this.#detail) {
      this.#log.warn(
        { result: look.kind, why: look.message },
        'cannot tell whether the condition holds; nothing is begun or ended',
      );
    }
  }

  #take(step: Step): void {
    this.#state = step.state;
    for (const effect of step.effects) this.#carryOut(effect);
    this.#show();
  }

  #carryOut(effect: Effect): void {
    const { metrics, outbox } = this.#deps;
    const { name, maxSeries } = this.trigger;
    if (effect.kind === 'storm_began') {
      metrics.storms.inc({ trigger: name });
      this.#log.error(
        { series: effect.series, max_series: maxSeries },
        'STORM: more series than max_series at once; all requests of this trigger are held, somebody should look',
      );
      outbox.withdraw(name, 'storm');
    } else if (effect.kind === 'storm_ended') {
      this.#log.warn({ series: effect.series, max_series: maxSeries }, 'storm over; requests are sent again');
    } else if (effect.kind === 'unusable') {
      metrics.unusable.inc({ trigger: name });
      this.#log.error(
        { identity: this.#digest(effect.fault), why: effect.problem },
        'nothing can be asked for this fault',
      );
    } else if (effect.kind === 'rejected') {
      this.#log.error(
        { identity: this.#digest(effect.fault), code: effect.code, why: effect.message },
        'the coordinator rejects this request; asked again rarely until that changes',
      );
    } else if (effect.kind === 'request') this.#request(effect.fault);
    else this.#report(effect.fault, effect.kind);
  }

  #request(fault: Fault): void {
    const { clock, observer, outbox } = this.#deps;
    const { wall, mono } = clock();
    const body = requestFor(this.trigger, fault, observer, randomUUID(), wall);
    this.#log.info(
      { identity: this.#digest(fault), request: body.request_id, target: body.target, labels: fault.labels },
      'fault: asking for the remedy',
    );
    outbox.push(this.#lane(fault), {
      kind: 'request',
      trigger: this.trigger.name,
      identity: this.#digest(fault),
      body,
      voidAt: Math.min(fault.seenAt + this.trigger.validForMs, mono + MOST_REQUEST_AGE_MS),
      settle: (outcome) => this.#outcome(fault, outcome),
    });
  }

  #report(fault: Fault, state: 'seen' | 'resolved'): void {
    const { clock, observer, outbox } = this.#deps;
    if (state === 'resolved') this.#log.info({ identity: this.#digest(fault) }, 'fault is over');
    outbox.push(this.#lane(fault), {
      kind: 'report',
      trigger: this.trigger.name,
      identity: this.#digest(fault),
      report: reportFor(this.trigger, fault, observer, state),
      // After the gap the gate closes the episode by itself; a later "seen" follows anyway.
      voidAt: clock().mono + (state === 'seen' ? reportEveryMs(this.trigger) : Math.max(this.trigger.gapMs, 60_000)),
      settle: (open) => {
        if (state === 'seen' && !open) this.#state = takeEpisodeClosed(this.#state, fault.key);
      },
    });
  }

  #outcome(fault: Fault, outcome: Outcome): void {
    if (this.#stop.signal.aborted) return;
    this.#take(takeOutcome(this.#state, fault.key, fault.asks, outcome, this.trigger, this.#deps.clock()));
  }

  #lane(fault: Fault): string {
    return `${identitySource(this.trigger)}\n${fault.key}`;
  }

  #digest(fault: Fault): string {
    return identityDigest(identitySource(this.trigger), fault.key);
  }

  #standing(): TriggerStanding {
    const { look, storm, faults } = this.#state;
    if (look === 'never') return 'never_looked';
    if (look !== 'answer') return 'cannot_tell';
    if (storm !== null) return 'storm';
    return faults.size > 0 ? 'holds' : 'quiet';
  }

  #show(): void {
    const { metrics } = this.#deps;
    const trigger = this.trigger.name;
    const standing = this.#standing();
    for (const state of TRIGGER_STATES) metrics.state.set({ trigger, state }, state === standing ? 1 : 0);
    const phases = [...this.#state.faults.values()].map((fault) => fault.phase.kind);
    for (const phase of FAULT_PHASES)
      metrics.faults.set({ trigger, phase }, phases.filter((one) => one === phase).length);
    metrics.held.set({ trigger }, this.#state.storm ?? 0);
  }

  /** A trigger that is gone must not go on being shown as it last was. */
  #hide(): void {
    const { metrics } = this.#deps;
    const trigger = this.trigger.name;
    for (const state of TRIGGER_STATES) metrics.state.remove({ trigger, state });
    for (const phase of FAULT_PHASES) metrics.faults.remove({ trigger, phase });
    for (const gauge of [metrics.held, metrics.lag, metrics.lastAnswer]) gauge.remove({ trigger });
  }
}

const time = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

function faultDetail(fault: Fault): string | null {
  if (!fault.aim.ok) return fault.aim.problem;
  if (fault.phase.kind === 'joined') return fault.phase.execution;
  if (fault.phase.kind === 'refused' || fault.phase.kind === 'shadow') return fault.phase.message;
  if (fault.phase.kind === 'pending') return `${fault.phase.pending}: ${fault.phase.message}`;
  return fault.phase.kind === 'rejected' ? fault.phase.code : null;
}

/** `every` with a tenth of jitter either way; doubled for each look in a row that gave no answer. */
function nextLookIn(everyMs: number, failures: number): number {
  const jitter = 0.9 + Math.random() * 0.2;
  const most = Math.max(everyMs, MOST_BACKOFF_MS);
  return Math.min(everyMs * 2 ** Math.min(failures, 16), most) * jitter;
}
