/** The trigger daemon: watches sources for unwanted conditions and asks a coordinator for the configured workflow. */
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { TriggerConfig, TriggerDaemonConfig } from '../config/trigger-daemon.ts';
import type { MetricSource } from '../sources/metric-source.ts';
import type { CoordinatorPort } from './coordinator-port.ts';
import type { Clock } from './fault.ts';
import { Outbox, type OutboxDeps } from './outbox.ts';
import { serveStatus } from './status-server.ts';
import { triggerMetrics } from './trigger-metrics.ts';
import { type TriggerStatus, Watch } from './watch.ts';

export type TriggerDaemonDeps = {
  readonly client: CoordinatorPort;
  /** The triggers as they are now; asked again after each `onTriggersChanged`. */
  readonly triggers: () => readonly TriggerConfig[];
  /** Registers a listener for new triggers; gives back what unregisters it. Absent = they never change. */
  readonly onTriggersChanged?: ((listener: () => void) => () => void) | undefined;
  /** The source of an address such as `prometheus.main`; undefined when there is none. Closed by whoever made it. */
  readonly sourceFor: (address: string) => MetricSource | undefined;
  readonly log: Logger;
  readonly metrics: Registry;
  /** Lines for `/status` about triggers that could not be loaded. */
  readonly problems?: (() => readonly string[]) | undefined;
  readonly outbox?: Partial<Pick<OutboxDeps, 'backoff' | 'capacity' | 'parallel'>> | undefined;
  readonly clock?: (() => Clock) | undefined;
};

export type TriggerDaemonStatus = {
  readonly observer: string;
  readonly triggers: readonly TriggerStatus[];
  /** Messages waiting for a coordinator. */
  readonly waiting: number;
  readonly problems: readonly string[];
};

export type RunningTriggerDaemon = AsyncDisposable & {
  readonly status: () => TriggerDaemonStatus;
  /** Where metrics and status are served; null when they are not. */
  readonly metricsAddress: { readonly host: string; readonly port: number } | null;
  /** Stops watching, waits a moment for requests in flight, closes what was opened. May be called twice. */
  readonly stop: () => Promise<void>;
};

const STOP_GRACE_MS = 5_000;
const systemClock = (): Clock => ({ wall: Date.now(), mono: performance.now() });

/**
 * Watches all triggers until stopped. Needs neither the sources nor a coordinator to be there at start.
 * @throws when metrics cannot be served on the configured address.
 */
export async function startTriggerDaemon(
  config: TriggerDaemonConfig,
  deps: TriggerDaemonDeps,
): Promise<RunningTriggerDaemon> {
  await using undo = new AsyncDisposableStack();
  const { log } = deps;
  const clock = deps.clock ?? systemClock;
  const metrics = triggerMetrics(deps.metrics);
  const outbox = new Outbox({ client: deps.client, log, metrics, now: () => clock().mono, ...deps.outbox });
  undo.defer(() => outbox.close(STOP_GRACE_MS));
  const watches = new Watches(
    deps,
    (trigger, source) => new Watch(trigger, { source, outbox, observer: config.name, log, metrics, clock }),
  );
  undo.defer(() => watches.stop());
  await watches.apply();
  undo.defer(deps.onTriggersChanged?.(() => void watches.apply()) ?? (() => undefined));
  const status = (): TriggerDaemonStatus => ({
    observer: config.name,
    triggers: watches.statuses(),
    waiting: outbox.size,
    problems: [...(deps.problems?.() ?? []), ...watches.problems()],
  });
  const server =
    config.metricsListen === null ? null : await serveStatus(config.metricsListen, { registry: deps.metrics, status });
  if (server !== null) undo.defer(() => server.close());
  const all = undo.move();
  const stop = (): Promise<void> => all.disposeAsync();
  log.info({ triggers: status().triggers.length, observer: config.name }, 'trigger daemon started');
  return { status, metricsAddress: server?.address ?? null, stop, [Symbol.asyncDispose]: stop };
}

/** The watches of the triggers in force. A changed trigger, or one over a changed source, is a new one: its `for` begins anew. */
class Watches {
  readonly #deps: TriggerDaemonDeps;
  readonly #start: (trigger: TriggerConfig, source: MetricSource) => Watch;
  readonly #running = new Map<string, Watch>();
  #problems: readonly string[] = [];
  #turn: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(deps: TriggerDaemonDeps, start: (trigger: TriggerConfig, source: MetricSource) => Watch) {
    this.#deps = deps;
    this.#start = start;
  }

  /** Brings the watches in line with the triggers; one such change at a time, in order. */
  apply(): Promise<void> {
    this.#turn = this.#turn
      .then(() => this.#apply())
      .catch((err: unknown) => this.#deps.log.error({ err }, 'the triggers could not be applied'));
    return this.#turn;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#turn;
    await Promise.all([...this.#running.values()].map((watch) => watch.stop()));
  }

  statuses(): readonly TriggerStatus[] {
    return [...this.#running.values()].map((watch) => watch.status());
  }

  problems(): readonly string[] {
    return this.#problems;
  }

  async #apply(): Promise<void> {
    if (this.#stopped) return;
    const wanted = new Map(this.#deps.triggers().map((trigger) => [trigger.name, trigger]));
    const gone = [...this.#running.values()].filter(
      ({ trigger, source }) =>
        !sameTrigger(trigger, wanted.get(trigger.name)) || this.#deps.sourceFor(trigger.source) !== source,
    );
    await Promise.all(gone.map((watch) => watch.stop()));
    for (const watch of gone) this.#running.delete(watch.trigger.name);
    const problems: string[] = [];
    for (const trigger of wanted.values()) {
      if (this.#running.has(trigger.name)) continue;
      const source = this.#deps.sourceFor(trigger.source);
      if (source === undefined)
        problems.push(`trigger "${trigger.name}": there is no source ${trigger.source}; it is not watched`);
      else this.#running.set(trigger.name, this.#start(trigger, source));
    }
    for (const problem of problems) this.#deps.log.error(problem);
    this.#problems = problems;
  }
}

/** Where a trigger stands in its file does not matter. */
function sameTrigger(a: TriggerConfig, b: TriggerConfig | undefined): boolean {
  return b !== undefined && isDeepStrictEqual({ ...a, place: null }, { ...b, place: null });
}
