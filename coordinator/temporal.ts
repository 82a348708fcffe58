/** Connections to Temporal: one for calls, made lazily and kept by gRPC itself; one for Workers, rebuilt by workers.ts. */
import { readFile } from 'node:fs/promises';
import {
  Client,
  Connection,
  defaultGrpcRetryOptions,
  makeGrpcRetryInterceptor,
  type ConnectionOptions,
} from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import type { TemporalConfig } from '../config/connections.ts';
import { followApiKey } from './api-key.ts';
import { largePayloadCodec } from './gate/large-payload.ts';

/** Nothing waits for Temporal longer than this unless it says so. */
export const CALL_DEADLINE_MS = 5_000;

export class TemporalUnreachableError extends Error {
  override readonly name = 'TemporalUnreachableError';
}

export type Temporal = {
  readonly connection: Connection;
  /** Control namespace: gate and executions. */
  readonly control: Client;
  /** Agents' namespace: orders and receipts. */
  readonly agents: Client;
  /** Runs a call with a deadline. @throws TemporalUnreachableError naming address and what was tried. */
  readonly call: <T>(what: string, body: () => Promise<T>, deadlineMs?: number) => Promise<T>;
  readonly close: () => Promise<void>;
};

type TlsFiles = {
  serverRootCACertificate?: Buffer;
  clientCertPair?: { crt: Buffer; key: Buffer };
  serverNameOverride?: string;
};

/** Reads what a connection needs from the files that the configuration names. */
async function connectionOptions(config: TemporalConfig) {
  const { tls } = config;
  const read = async (file: string | null): Promise<Buffer | undefined> => (file === null ? undefined : readFile(file));
  // Said in so many words: with an API key the SDK would take TLS for granted.
  const options: { address: string; tls: TlsFiles | false } = { address: config.address, tls: false };
  if (tls !== null) {
    const [ca, crt, key] = await Promise.all([read(tls.ca), read(tls.certificate), read(tls.key)]);
    options.tls = {
      ...(ca === undefined ? {} : { serverRootCACertificate: ca }),
      ...(crt === undefined || key === undefined ? {} : { clientCertPair: { crt, key } }),
      ...(tls.serverName === null ? {} : { serverNameOverride: tls.serverName }),
    };
  }
  return options;
}

/**
 * The SDK repeats failed calls by itself, and after a RESOURCE_EXHAUSTED first sleeps 1.4 to 2 s: far too long for the gate's Updates, of which a
 * server takes ten at a time by default. Those are not repeated here but by the gate's client, which knows what else waits.
 */
const retryAllButUpdates = (): NonNullable<ConnectionOptions['interceptors']>[number] => {
  const defaults = defaultGrpcRetryOptions();
  const retry = makeGrpcRetryInterceptor(defaults);
  const once = makeGrpcRetryInterceptor({ ...defaults, retryableDecider: () => false });
  const update = /\/(UpdateWorkflowExecution|PollWorkflowExecutionUpdate)$/;
  return (options, nextCall) => (update.test(options.method_definition.path) ? once : retry)(options, nextCall);
};

/** Does not fail while Temporal is away: calls do, each within its deadline. `apiKey`: in place of the file's. */
export async function openTemporal(
  config: TemporalConfig,
  identity: string,
  apiKey: string | null = null,
): Promise<Temporal> {
  const options = await connectionOptions(config);
  const key = apiKey === null ? await followApiKey(config.apiKeyFile) : { current: () => apiKey, stop: () => {} };
  const connection = Connection.lazy({
    ...options,
    ...(key === null ? {} : { apiKey: key.current }),
    connectTimeout: CALL_DEADLINE_MS,
    interceptors: [retryAllButUpdates()],
  });
  const call = async <T>(what: string, body: () => Promise<T>, deadlineMs = CALL_DEADLINE_MS): Promise<T> => {
    try {
      return await connection.withDeadline(Date.now() + deadlineMs, body);
    } catch (cause) {
      if (isUnreachable(cause)) {
        throw new TemporalUnreachableError(`cannot reach Temporal at ${config.address} to ${what}`, { cause });
      }
      throw cause;
    }
  };
  return {
    connection,
    // A closed gate still answers queries from its history: what has ended must not look open.
    control: new Client({
      connection,
      namespace: config.namespace,
      identity,
      // What a gate answers to a query may be large.
      dataConverter: { payloadCodecs: [largePayloadCodec] },
      workflow: { queryRejectCondition: 'NOT_OPEN' },
    }),
    agents: new Client({ connection, namespace: config.agentsNamespace, identity }),
    call,
    close: () => {
      key?.stop();
      return connection.close();
    },
  };
}

export type WorkersConnection = { readonly connection: NativeConnection; readonly close: () => Promise<void> };

export async function connectForWorkers(config: TemporalConfig): Promise<WorkersConnection> {
  let made: NativeConnection | null = null;
  const key = await followApiKey(config.apiKeyFile, (renewed) => void made?.setApiKey(renewed));
  try {
    const options = await connectionOptions(config);
    const connection = await NativeConnection.connect({ ...options, ...(key && { apiKey: key.current() }) });
    made = connection;
    return {
      connection,
      close: () => {
        key?.stop();
        return connection.close();
      },
    };
  } catch (error) {
    key?.stop();
    throw error;
  }
}

/** gRPC codes under which the outcome of a call is unknown or it never arrived. */
const UNREACHABLE = new Set([1, 4, 8, 14]);
export const grpcCode = (error: unknown): number | null => {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === 'number') return code;
  }
  return null;
};
export const isUnreachable = (error: unknown): boolean => {
  if (error instanceof TemporalUnreachableError) return true;
  if (error instanceof Error && error.name === 'WorkflowUpdateRPCTimeoutOrCancelledError') return true;
  const code = grpcCode(error);
  if (code !== null) return UNREACHABLE.has(code);
  return error instanceof Error && /connect|UNAVAILABLE|DEADLINE_EXCEEDED/.test(error.message);
};
export const isNotFound = (error: unknown): boolean =>
  (error instanceof Error && error.name === 'WorkflowNotFoundError') ||
  isNamespaceMissing(error) ||
  grpcCode(error) === 5;
/** Temporal answers, and `fettle setup temporal` was never run on it. */
export const isNamespaceMissing = (error: unknown): boolean => {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at.name === 'NamespaceNotFoundError') return true;
    if (grpcCode(at) === 5 && /^(5 NOT_FOUND: )?namespace .* not found/i.test(at.message)) return true;
  }
  return false;
};
/** What was asked has closed: terminated by hand, say. */
export const isClosed = (error: unknown): boolean =>
  error instanceof Error &&
  (error.name === 'QueryRejectedError' || (isNotFound(error) && /already completed/i.test(error.message)));
