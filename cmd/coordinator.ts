import { installTemporalRuntime } from '../agent/temporal-runtime.ts';
import type { CoordinatorConfig } from '../config/coordinator.ts';
import { loadCoordinator } from '../config/load.ts';
import { startCoordinator } from '../coordinator/coordinator.ts';
import type { ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { type Role, type RoleFlags, runRole } from './run-role.ts';
import { VERSION } from './version.ts';

/** `fettle coordinator` */
export const runCoordinator = (io: Io, flags: RoleFlags): Promise<ExitCode> => runRole(io, flags, roleOf(flags.config));

const roleOf = (paths: readonly string[]): Role<CoordinatorConfig> => ({
  name: 'coordinator',
  load: loadCoordinator,
  // Its metrics are a route of its own API.
  metricsListen: () => null,
  start: async (config, { log, metrics, reload, undo }) => {
    installTemporalRuntime(log);
    const running = await startCoordinator(config, { log, metrics, version: VERSION, paths });
    undo.add('coordinator', running.stop);
    undo.add('reload of rules', reload(running.reload));
  },
});
