import { readFile, stat } from 'node:fs/promises';
import { NativeConnection, type NativeConnectionOptions, Worker } from '@temporalio/worker';
import type { TemporalConfig } from '../config/connections.ts';
import type { Credential } from './credential.ts';
import { agentIdentity, agentQueues, type NodePlace } from '../workflows/contract.ts';

export type SessionSetting = {
  readonly temporal: TemporalConfig;
  readonly place: NodePlace;
  readonly activities: Record<string, (order: never) => Promise<string>>;
  /** How many orders a queue hands out at once: far above the cap on actions, so that settle and claim never wait behind them. */
  readonly ordersAtOnce: number;
  /** Where the API key comes from; null: from the file that the configuration names, if any. */
  readonly credential: Pick<Credential, 'token' | 'onToken'> | null;
  /** What runs may go on so long after the end was asked for, milliseconds. */
  readonly graceMs: number;
};

const FIRST_PROBE_MS = 10_000;

/** One connection with its three Workers. Over as soon as one of them is. */
export type TemporalSession = {
  /** Resolves when asked to end; rejects when a Worker failed. */
  readonly over: Promise<void>;
  /** Asks the Workers to end; they wait for what runs, at most the grace time. */
  readonly end: () => void;
  /** @throws Error when the server does not answer within `timeoutMs`. */
  readonly probe: (timeoutMs: number) => Promise<void>;
  /** Follows changed credential files; true when only a new session can. */
  readonly refreshCredentials: () => Promise<boolean>;
  readonly close: () => Promise<void>;
};

/** @throws Error when the server, its namespace or a credential cannot be had. */
export async function openSession(setting: SessionSetting): Promise<TemporalSession> {
  const { temporal, credential } = setting;
  const files = await credentialStamp(temporal);
  let apiKey = credential === null ? await readApiKey(temporal) : await credential.token();
  const connection = await NativeConnection.connect({
    address: temporal.address,
    tls: await tlsOptions(temporal),
    ...(apiKey !== null && { apiKey }),
  });
  const probe = async (timeoutMs: number): Promise<void> => {
    // Without a token Temporal would only say no; this says why there is none. Workers stay, and go on with the next one.
    await credential?.token();
    const ask = () => connection.workflowService.describeNamespace({ namespace: temporal.agentsNamespace });
    await connection.withDeadline(Date.now() + timeoutMs, ask);
  };
  let workers: Worker[];
  try {
    await probe(FIRST_PROBE_MS);
    workers = await createWorkers(connection, setting);
  } catch (error) {
    await connection.close().catch(() => undefined);
    throw error;
  }
  // Polls and answers under way go on with the new key: no Worker notices.
  const unhear = credential?.onToken((token) => void connection.setApiKey(token));
  const end = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const runs = workers.map((worker) => worker.run());
  // One failed Worker ends the others: an agent that hears a third of its orders only looks healthy.
  for (const run of runs) run.catch(end);
  const over = endOfAll(runs);
  over.catch(() => undefined);
  return {
    over,
    end,
    probe,
    async refreshCredentials() {
      const key = credential === null ? await readApiKey(temporal) : null;
      if (key !== null && key !== apiKey) {
        await connection.setApiKey(key);
        apiKey = key;
      }
      return (await credentialStamp(temporal)) !== files;
    },
    close: () => {
      unhear?.();
      return connection.close();
    },
  };
}

/** Waits for all, also when one failed: what runs under the others is not to be left behind. */
async function endOfAll(runs: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(runs)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function createWorkers(connection: NativeConnection, setting: SessionSetting): Promise<Worker[]> {
  const { temporal, place, activities, ordersAtOnce, graceMs } = setting;
  const workers: Worker[] = [];
  for (const taskQueue of Object.values(agentQueues(place))) {
    workers.push(
      await Worker.create({
        connection,
        namespace: temporal.agentsNamespace,
        taskQueue,
        identity: agentIdentity(place),
        activities,
        // The options maxConcurrent...TaskPolls are ignored by this version of the SDK: ten polls would stay open.
        activityTaskPollerBehavior: { type: 'simple-maximum', maximum: 1 },
        maxConcurrentActivityTaskExecutions: ordersAtOnce,
        // A cancellation is heard with the answer to a heartbeat: none may be held back longer than they are made.
        maxHeartbeatThrottleInterval: '2s',
        defaultHeartbeatThrottleInterval: '2s',
        shutdownGraceTime: graceMs,
      }),
    );
  }
  return workers;
}

type Tls = Exclude<NativeConnectionOptions['tls'], boolean | null | undefined>;

async function tlsOptions({ tls }: TemporalConfig): Promise<false | Tls> {
  if (tls === null) return false;
  const [ca, crt, key] = await Promise.all([tls.ca, tls.certificate, tls.key].map((file) => readOptional(file)));
  return {
    ...(tls.serverName !== null && { serverNameOverride: tls.serverName }),
    ...(ca && { serverRootCACertificate: ca }),
    ...(crt && key && { clientCertPair: { crt, key } }),
  };
}

const readOptional = async (file: string | null): Promise<Buffer | null> => (file === null ? null : readFile(file));

async function readApiKey({ apiKeyFile }: TemporalConfig): Promise<string | null> {
  if (apiKeyFile === null) return null;
  const key = (await readFile(apiKeyFile, 'utf8')).trim();
  if (key === '') throw new Error(`${apiKeyFile} is empty; it must hold the API key for Temporal`);
  return key;
}

/** Changes when a TLS file does; those are read only as a connection is made. */
async function credentialStamp({ tls }: TemporalConfig): Promise<string> {
  const files = tls === null ? [] : [tls.ca, tls.certificate, tls.key].filter((file) => file !== null);
  const stats = await Promise.all(files.map((file) => stat(file)));
  return stats.map(({ ino, mtimeMs, size }) => `${ino}:${mtimeMs}:${size}`).join(' ');
}
