/** Temporal's own server with its JWT authorizer on, in memory, on loopback. Every service is started by name: the system worker needs the internal frontend. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { freePort, portAnswers, startProcess } from '../support/processes.ts';
import { TEMPORAL_SETTINGS, type TemporalServer } from '../support/temporal.ts';
import { SERVER_BINARY } from './build-server.ts';

const SERVICES = ['frontend', 'internal-frontend', 'history', 'matching', 'worker'] as const;

/** `jwks`: where it reads the keys, again each second; they may come later than the server. */
export async function startAuthorizingServer(dir: string, jwks: string): Promise<TemporalServer> {
  const ports = new Map<string, { grpc: number; membership: number }>();
  for (const service of SERVICES) ports.set(service, { grpc: await freePort(), membership: await freePort() });
  const port = ports.get('frontend')?.grpc ?? 0;
  const root = path.join(dir, 'temporal-server');
  await mkdir(path.join(root, 'config'), { recursive: true });
  await writeFile(path.join(root, 'dynamic.yaml'), JSON.stringify(dynamicConfig()));
  // JSON is YAML as well.
  await writeFile(path.join(root, 'config/fettle.yaml'), JSON.stringify(serverConfig(root, jwks, port, ports)));
  const services = SERVICES.flatMap((service) => ['--service', service]);
  const argv = [SERVER_BINARY, '--root', root, '--config', 'config', '--env', 'fettle', 'start', ...services];
  const launch = async () => {
    const started = startProcess(argv, { name: 'temporal-server' });
    await started.waitUntil(() => portAnswers(port), { what: `answer at port ${port}`, timeoutMs: 120_000 });
    return started;
  };
  let running = await launch();
  const stop = async (): Promise<void> => void (await running.stop());
  const start = async (): Promise<void> => {
    if (running.exit() !== null) running = await launch();
  };
  return {
    address: `127.0.0.1:${port}`,
    port,
    process: () => running,
    stop,
    start,
    kill: async () => void (await running.kill()),
    restart: async () => {
      await stop();
      await start();
    },
    [Symbol.asyncDispose]: stop,
  };
}

const dynamicConfig = (): object =>
  Object.fromEntries(Object.entries(TEMPORAL_SETTINGS).map(([key, value]) => [key, [{ value }]]));

function serverConfig(
  root: string,
  jwks: string,
  port: number,
  ports: ReadonlyMap<string, { grpc: number; membership: number }>,
): object {
  const sqlite = {
    sql: {
      pluginName: 'sqlite',
      databaseName: 'default',
      connectAddr: 'localhost',
      connectProtocol: 'tcp',
      connectAttributes: { mode: 'memory', cache: 'private' },
    },
  };
  const rpc = ([service, { grpc, membership }]: readonly [string, { grpc: number; membership: number }]) => [
    service,
    { rpc: { grpcPort: grpc, membershipPort: membership, bindOnLocalHost: true } },
  ];
  return {
    log: { stdout: true, level: 'warn' },
    persistence: {
      defaultStore: 'main',
      visibilityStore: 'visibility',
      numHistoryShards: 4,
      datastores: { main: sqlite, visibility: sqlite },
    },
    global: {
      membership: { maxJoinDuration: '30s', broadcastAddress: '127.0.0.1' },
      authorization: {
        jwtKeyProvider: { keySourceURIs: [jwks], refreshInterval: '1s' },
        permissionsClaimName: 'permissions',
        authorizer: 'default',
        claimMapper: 'default',
      },
    },
    services: Object.fromEntries([...ports].map(rpc)),
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: 'active',
      currentClusterName: 'active',
      clusterInformation: {
        active: {
          enabled: true,
          initialFailoverVersion: 1,
          rpcName: 'frontend',
          rpcAddress: `localhost:${port}`,
        },
      },
    },
    dcRedirectionPolicy: { policy: 'noop' },
    archival: { history: { state: 'disabled' }, visibility: { state: 'disabled' } },
    dynamicConfigClient: { filepath: path.join(root, 'dynamic.yaml'), pollInterval: '10s' },
  };
}
