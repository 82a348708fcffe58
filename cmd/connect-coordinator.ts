import { type ClientIdentity, openClientIdentity } from '../identity/client-identity.ts';
import { type CoordinatorClient, openCoordinatorClient } from '../identity/coordinator-client.ts';
import { type ResolvedProfile, resolveProfile } from './client-profile.ts';
import type { CoordinatorApi } from './coordinator-api.ts';
import { explainFailure, type Presented } from './coordinator-failure.ts';
import { CommandError, EXIT } from './exit-code.ts';
import type { ClientFlags } from './fettle-command.ts';
import { type Io, note } from './io.ts';
import { printable } from './printable.ts';

export type ConnectedCoordinator = AsyncDisposable & { readonly api: CoordinatorApi; readonly presented: Presented };

/** Opens the client that flags, environment and profile describe; connects with the first call. @throws CommandError */
export async function connectCoordinator(io: Io, flags: ClientFlags): Promise<ConnectedCoordinator> {
  return connectProfile(io, await resolveProfile(io, flags));
}

/** As `connectCoordinator`, with a profile that is known already. @throws CommandError */
export async function connectProfile(io: Io, profile: ResolvedProfile): Promise<ConnectedCoordinator> {
  await using undo = new AsyncDisposableStack();
  let identity: ClientIdentity;
  let client: CoordinatorClient;
  try {
    identity = await openIdentity(io, profile, undo);
    client = undo.use(openCoordinatorClient({ ...profile, identity }));
  } catch (error) {
    throw new CommandError(EXIT.usage, (error as Error).message, 'fettle doctor', { cause: error });
  }
  const presented = identity.kind === 'svid' ? identity.source.current().id.text : null;
  const all = undo.move();
  return { api: explained(client, presented, io.signal), presented, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

async function openIdentity(io: Io, profile: ResolvedProfile, undo: AsyncDisposableStack): Promise<ClientIdentity> {
  const { bundle } = profile;
  if (bundle === null) return { kind: 'none' };
  const warn = (...words: unknown[]): void => note(io, `fettle: ${printable(String(words.at(-1)))}`);
  const log = { info: () => {}, warn, error: warn };
  return undo.use(await openClientIdentity({ ...profile, bundle }, { log }));
}

/** The client with its errors in words for people. */
function explained(client: CoordinatorClient, presented: Presented, signal: AbortSignal): CoordinatorApi {
  const call = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw explainFailure(error, presented);
    }
  };
  return {
    request: (body) => call(client.request(body, { signal })),
    executions: (query) => call(client.listExecutions(query, { signal })),
    execution: (id) => call(client.getExecution(id, { signal })),
    events: (id, until) => explainedEvents(client.executionEvents(id, { signal: until }), presented),
    cancel: (id, reason) => call(client.cancelExecution(id, reason, { signal })),
    pending: () => call(client.listPending({ signal })),
    pendingRequest: (id) => call(client.getPending(id, { signal })),
    cancelPending: (id, reason) => call(client.cancelPending(id, reason, { signal })),
    approve: (id, approval) => call(client.approve(id, approval, { signal })),
    deny: (id, reason) => call(client.deny(id, reason, { signal })),
    pause: (wish) => call(client.pause(wish, { signal })),
    resume: (wish) => call(client.resume(wish, { signal })),
    windows: () => call(client.windows({ signal })),
    addWindow: (wish) => call(client.addWindow(wish, { signal })),
    removeWindow: (name, reason) => call(client.removeWindow(name, reason, { signal })),
    limits: (query) => call(client.limits(query, { signal })),
    decisions: (query) => call(client.decisions(query, { signal })),
    why: (query) => call(client.why(query, { signal })),
    nodes: () => call(client.nodes({ signal })),
    changeNode: (node, op, change) => call(client.changeNode(node, op, change, { signal })),
    workflows: () => call(client.workflows({ signal })),
    status: () => call(client.status({ signal })),
  };
}

async function* explainedEvents<T>(events: AsyncIterable<T>, presented: Presented): AsyncGenerator<T> {
  try {
    yield* events;
  } catch (error) {
    throw explainFailure(error, presented);
  }
}
