import { installTemporalRuntime } from '../agent/temporal-runtime.ts';
import type { CoordinatorConfig } from '../config/coordinator.ts';
import { loadCoordinator } from '../config/load.ts';
import { startCoordinator } from '../coordinator/coordinator.ts';
import type { ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { type Role, type RoleFlags, type RoleParts, runRole } from './run-role.ts';

/** `fettle coordinator` */
export const runCoordinator = (io: Io, flags: RoleFlags): Promise<ExitCode> => runRole(io, flags, role);

const role: Role<CoordinatorConfig> = {
  name: 'coordinator',
  load: loadCoordinator,
  // Its metrics are a route of its own API.
  metricsListen: () => null,
  start,
};

async function start(config: CoordinatorConfig, { log, metrics, reload, undo }: RoleParts): Promise<void> {
  installTemporalRuntime(log);
  const running = await startCoordinator(config, { log, metrics, reload });
  undo.add('coordinator', running.stop);
  log.info({ address: running.address }, 'the API is served');
}
