/**
 * Stop, and start again (docs/protocol.md §8): pauses, breakers and windows, as people put and lift them. All of it is the gate's; here is
 * who may, whether what is named exists, and what may still begin.
 */
import { randomUUID } from 'node:crypto';
import type {
  ApiPaused,
  ApiPauseRequest,
  ApiResumed,
  ApiResumeRequest,
  ApiWindow,
  ApiWindowRequest,
  ApiWindowScope,
} from '../../workflows/api.ts';
import type { AccessConfig } from '../../config/coordinator.ts';
import { formatLease } from '../../workflows/contract.ts';
import type { Answer, GateSummary, LeaseRef, Operation } from '../../workflows/gate/operations.ts';
import type { Logger } from 'pino';
import { leaseName } from '../../workflows/gate/target-ref.ts';
import { callerText, mayDo } from '../access.ts';
import { callerRef } from '../caller-ref.ts';
import { digestOf } from '../digest.ts';
import type { Fleet } from '../fleet.ts';
import type { GateClient } from '../gate/gate-client.ts';
import { unavailable } from '../gate/no-decision.ts';
import { toApiBreaker, toApiPause, toApiWindow } from '../gate/gate-status.ts';
import { ApiFailure, type Caller } from '../service.ts';
import { concerns, requireKnown, scopeLists, subjectsOf, toPauseScope, toWindowScope } from './stop-scope.ts';

/** A window that people add reaches no further: what lasts longer belongs into a file. */
const MAX_WINDOW_MS = 366 * 86_400_000;
const MAX_WHY = 160;

export type StopOptions = {
  readonly gate: Pick<GateClient, 'submit' | 'summary' | 'leases'>;
  readonly fleet: Pick<Fleet, 'view'>;
  readonly access: () => AccessConfig;
  readonly workflowNames: () => readonly string[];
  /** Has what waits asked again at once. */
  readonly lookAgain: () => Promise<void>;
  readonly log: Logger;
};

export type Stop = {
  readonly pause: (caller: Caller, wish: ApiPauseRequest) => Promise<ApiPaused>;
  readonly resume: (caller: Caller, wish: ApiResumeRequest) => Promise<ApiResumed>;
  readonly windows: () => Promise<ApiWindow[]>;
  readonly addWindow: (caller: Caller, wish: ApiWindowRequest) => Promise<ApiWindow>;
  readonly removeWindow: (caller: Caller, name: string, reason: string) => Promise<ApiWindow>;
};

export const createStop = (options: StopOptions): Stop => ({
  pause: (caller, wish) => pause(options, caller, wish),
  resume: (caller, wish) => resume(options, caller, wish),
  windows: async () => (await summary(options)).windows.map(toApiWindow),
  addWindow: (caller, wish) => addWindow(options, caller, wish),
  removeWindow: (caller, name, reason) => removeWindow(options, caller, name, reason),
});

async function pause(options: StopOptions, caller: Caller, wish: ApiPauseRequest): Promise<ApiPaused> {
  const scope = scopeLists(wish.scope);
  await authorise(options, caller, scope);
  if (wish.force !== true) await requireKnown(scope, await workflowNames(options), options.fleet);
  const at = Date.now();
  const id = nameFor('p', caller, wish.request_id ?? randomUUID());
  const until = wish.for_s === undefined ? null : at + Math.ceil(wish.for_s * 1000);
  const by = callerRef(callerText(caller));
  const answer = await submit(options, {
    op: 'pause',
    id,
    at,
    sc: toPauseScope(wish.scope),
    by,
    why: wish.reason.slice(0, MAX_WHY),
    ...(until === null ? {} : { until }),
  });
  options.log.warn({ id, scope: wish.scope, caller: by, reason: wish.reason, until }, 'paused');
  const permits = answer.a === 'ok' ? (answer.perms ?? []) : [];
  const latest = Math.max(at, ...permits.map(([, beginBy]) => beginBy));
  return {
    ...toApiPause({ id, scope: toPauseScope(wish.scope), why: wish.reason, by, since: at, until }),
    outstanding: await outstandingIn(options, scope, permits),
    quiet_after: new Date(latest).toISOString(),
  };
}

/** Executions in the scope that still hold a permit; one that cannot be looked up now is named by its lease. */
async function outstandingIn(
  { gate, fleet }: StopOptions,
  scope: ApiWindowScope,
  permits: readonly (readonly [LeaseRef, number])[],
): Promise<ApiPaused['outstanding']> {
  if (permits.length === 0) return [];
  const [leases, { nodes }] = await Promise.all([gate.leases().catch(() => []), fleet.view()]);
  return permits.flatMap(([[epoch, n], beginBy]) => {
    const held = leases.find(({ lease }) => lease[0] === epoch && lease[1] === n);
    if (held !== undefined && !concerns(scope, held, nodes)) return [];
    const execution = held === undefined ? formatLease({ epoch, n }) : leaseName(held);
    return [{ execution, begins_by: new Date(beginBy).toISOString() }];
  });
}

async function resume(options: StopOptions, caller: Caller, wish: ApiResumeRequest): Promise<ApiResumed> {
  const { pauses, breakers } = await summary(options);
  const paused = pauses.find(({ id }) => id === wish.id);
  const breaker = breakers.find(({ id }) => id === wish.id);
  if (paused === undefined && breaker === undefined) {
    const ids = [...pauses, ...breakers].map(({ id }) => id);
    const exist = ids.length === 0 ? 'nothing is paused' : `there are ${ids.slice(0, 20).join(', ')}`;
    throw new ApiFailure(404, 'unknown_pause', `there is no pause or breaker "${wish.id.slice(0, 120)}": ${exist}`, {
      details: { known: ids },
    });
  }
  await authorise(options, caller, paused === undefined ? breakerScope(breaker) : scopeLists(toApiPause(paused).scope));
  const by = callerRef(callerText(caller));
  const why = wish.reason.slice(0, MAX_WHY);
  const at = Date.now();
  const id = nameFor('r', caller, `${wish.id}:${at}`);
  await submit(options, { op: 'resume', id, at, pause: wish.id, by, why });
  options.log.warn({ id: wish.id, caller: by, reason: why }, 'resumed');
  await nudge(options);
  return { id: wish.id, what: paused === undefined ? 'breaker' : 'pause', by };
}

function breakerScope(breaker: GateSummary['breakers'][number] | undefined): ApiWindowScope {
  if (breaker === undefined) return {};
  const { workflow, scope, of } = toApiBreaker(breaker);
  const where =
    scope === 'node' || scope === 'target' ? { nodes: [of] } : scope === 'node_type' ? { node_types: [of] } : {};
  return { workflows: [workflow], ...where };
}

async function addWindow(options: StopOptions, caller: Caller, wish: ApiWindowRequest): Promise<ApiWindow> {
  const at = Date.now();
  const from = wish.from === undefined ? at : Date.parse(wish.from);
  const until = Date.parse(wish.until);
  checkInterval(from, until, at);
  await authorise(options, caller, wish.scope);
  if (wish.force !== true) await requireKnown(wish.scope, await workflowNames(options), options.fleet);
  const name = nameFor('w', caller, wish.request_id ?? randomUUID());
  const by = callerRef(callerText(caller));
  const why = wish.reason.slice(0, MAX_WHY);
  const sc = toWindowScope(wish.scope);
  await submit(options, { op: 'window', id: `wa:${name}`, at, nm: name, sc, f: from, u: until, src: 'p', by, why });
  options.log.warn({ name, scope: wish.scope, caller: by, reason: why }, 'window added');
  return toApiWindow({ name, scope: sc, from, until, byPerson: true, by, why });
}

function checkInterval(from: number, until: number, now: number): void {
  const wrong = (message: string): never => {
    throw new ApiFailure(422, 'window', message);
  };
  if (until <= from) wrong('a window ends after it begins: until must lie after from');
  if (until <= now) wrong('this window is over already: until lies in the past');
  if (until - now > MAX_WINDOW_MS)
    wrong('a window lasts a year at most; write a window block for one that comes again');
}

async function removeWindow(options: StopOptions, caller: Caller, name: string, reason: string): Promise<ApiWindow> {
  const { windows } = await summary(options);
  const found = windows.find((window) => window.name === name);
  if (found === undefined) {
    const own = windows.filter((window) => window.byPerson).map((window) => window.name);
    const exist = own.length === 0 ? 'nobody has added any' : `people have added ${own.slice(0, 20).join(', ')}`;
    throw new ApiFailure(404, 'unknown_window', `there is no window "${name}": ${exist}`, { details: { known: own } });
  }
  if (!found.byPerson) {
    const message = `window "${name}" stands in a file of a coordinator, and would be back within a minute: change the window block`;
    throw new ApiFailure(409, 'window_of_file', message);
  }
  const window = toApiWindow(found);
  await authorise(options, caller, window.scope);
  const at = Date.now();
  const id = nameFor('wr', caller, `${name}:${at}`);
  const by = callerRef(callerText(caller));
  await submit(options, { op: 'unwindow', id, at, nm: name, by, why: reason.slice(0, MAX_WHY) });
  options.log.warn({ name, caller: by, reason }, 'window taken away');
  await nudge(options);
  return window;
}

/** What waits asks again by itself in any case; so it is no failure when it cannot be called now. */
const nudge = ({ lookAgain, log }: StopOptions): Promise<void> =>
  lookAgain().catch((error: unknown) => log.debug({ error }, 'what waits could not be called'));

async function authorise(options: StopOptions, caller: Caller, scope: ApiWindowScope): Promise<void> {
  for (const subject of subjectsOf(scope, await options.fleet.view())) {
    const allowed = mayDo(options.access(), caller, 'pause', subject);
    if (!allowed.allowed) throw new ApiFailure(403, 'not_allowed', allowed.reason);
  }
}

/** Those of this coordinator's files, and those that others have told the gate of. */
async function workflowNames(options: StopOptions): Promise<string[]> {
  const announced = await options.gate.summary().then(
    ({ definitions }) => definitions.map(({ workflow }) => workflow),
    () => [],
  );
  return [...new Set([...options.workflowNames(), ...announced])];
}

/** Short enough to be typed; the same for each repetition of one request. */
const nameFor = (kind: string, caller: Caller, request: string): string =>
  `${kind}-${Buffer.from(digestOf({ caller: callerText(caller), request }), 'base64url')
    .toString('hex')
    .slice(0, 8)}`;

async function submit({ gate }: StopOptions, operation: Operation): Promise<Answer> {
  const answer = await gate.submit(operation).catch((error: unknown) => {
    throw unavailable(error);
  });
  if (answer.a !== 'ok') {
    throw new ApiFailure(503, 'no_decision', `the gate answered ${answer.a}; ask again`, { retryAfterS: 5 });
  }
  return answer;
}

async function summary({ gate }: StopOptions): Promise<GateSummary> {
  try {
    return await gate.summary();
  } catch (error) {
    throw unavailable(error);
  }
}
