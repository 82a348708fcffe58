/**
 * One coordinator that kills itself with SIGKILL at a point named: `node coordinator-process.ts FILE DRILL`, where DRILL is one of
 * CoordinatorDrills. It dies as the operating system kills: nothing is tidied, nothing is told.
 */
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { installTemporalRuntime } from '../../agent/temporal-runtime.ts';
import { loadCoordinator } from '../../config/load.ts';
import { startCoordinator } from '../../coordinator/coordinator.ts';

const [file = '', drill = ''] = process.argv.slice(2);
const die = (): Promise<never> => {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => undefined);
};
const log = pino({ level: 'info' });
installTemporalRuntime(log);
const { config, problems } = await loadCoordinator([file]);
if (config === null) throw new Error(JSON.stringify(problems));
const running = await startCoordinator(config, {
  log,
  metrics: new Registry(),
  version: 'drill',
  paths: [file],
  drills: { [drill]: die },
});
process.once('SIGTERM', () => void running.stop());
