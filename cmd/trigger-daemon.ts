import { sourceAddress } from '../config/connections.ts';
import { loadTriggerDaemon, loadTriggers } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import type { TriggerDaemonConfig } from '../config/trigger-daemon.ts';
import { watchConfig } from '../config/watched.ts';
import { openCoordinatorClient } from '../identity/coordinator-client.ts';
import { openSvidSource } from '../identity/svid-source.ts';
import { openSourcePool } from '../sources/source-pool.ts';
import { startTriggerDaemon } from '../trigger-daemon/trigger-daemon.ts';
import type { ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { type Role, type RoleFlags, type RoleParts, runRole } from './run-role.ts';

/** `fettle trigger-daemon` */
export const runTriggerDaemon = (io: Io, flags: RoleFlags): Promise<ExitCode> => runRole(io, flags, role);

const role: Role<TriggerDaemonConfig> = {
  name: 'trigger-daemon',
  load: loadTriggerDaemon,
  // It serves its own status beside its metrics.
  metricsListen: () => null,
  start,
};

async function start(config: TriggerDaemonConfig, { log, metrics, reload, undo }: RoleParts): Promise<void> {
  const source = await openSvidSource(config.identity, { log });
  undo.add('identity', async () => source[Symbol.asyncDispose]());
  const client = openCoordinatorClient({
    addresses: config.coordinators,
    coordinatorId: config.coordinatorId,
    identity: { kind: 'svid', source },
  });
  undo.add('coordinator client', async () => client[Symbol.asyncDispose]());
  const pool = openSourcePool(config.sources);
  undo.add('sources', () => pool.close());
  const changed = new EventTarget();
  const rules = await watchConfig({
    load: () => loadTriggers(config.triggersDir, { sources: config.sources.map(sourceAddress) }),
    paths: [config.triggersDir],
    onChange: ({ triggers, sources }, warnings) => {
      for (const warning of warnings) log.warn(formatProblem(warning));
      log.info({ triggers: triggers.length }, 'triggers were read again');
      // Sources first: a watch whose source moved starts anew.
      pool.update([...config.sources, ...sources]);
      changed.dispatchEvent(new Event('change'));
    },
    onProblems: (problems) => {
      for (const problem of problems)
        log.error({ problem: formatProblem(problem) }, 'triggers as they were stay in force');
    },
  });
  undo.add('triggers', async () => rules[Symbol.asyncDispose]());
  pool.update([...config.sources, ...rules.current().sources]);
  for (const warning of rules.status().problems) log.warn(formatProblem(warning));
  undo.add(
    'reload of triggers',
    reload(async () => void (await rules.reload())),
  );
  const running = await startTriggerDaemon(config, {
    client,
    triggers: () => rules.current().triggers,
    problems: () => rules.status().problems.map(formatProblem),
    onTriggersChanged: (listener) => {
      changed.addEventListener('change', listener);
      return () => changed.removeEventListener('change', listener);
    },
    sourceFor: pool.get,
    log,
    metrics,
  });
  undo.add('trigger daemon', running.stop);
  if (running.metricsAddress !== null) log.info(running.metricsAddress, 'metrics and status are served');
}
