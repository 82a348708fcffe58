import type { Action } from './action.ts';
import { diagnosticsCollect } from './diagnostics-collect.ts';
import { diskClean } from './disk-clean.ts';
import { exec } from './exec.ts';
import { networkCheck } from './network-check.ts';
import { logsTail } from './logs-tail.ts';
import { nodeFacts } from './node-facts.ts';
import { nodeReboot } from './node-reboot.ts';
import { ping } from './ping.ts';
import { processKill } from './process-kill.ts';
import { processList } from './process-list.ts';
import { systemdReload } from './systemd-reload.ts';
import { systemdResetFailed } from './systemd-reset-failed.ts';
import { systemdRestart } from './systemd-restart.ts';
import { systemdStart } from './systemd-start.ts';
import { systemdStatus } from './systemd-status.ts';
import { systemdStop } from './systemd-stop.ts';

/** Every action this agent can do, by name: one line for each entry of `ACTIONS` in workflows/contract.ts. */
const EVERY: readonly Action[] = [
  ping,
  exec,
  diskClean,
  networkCheck,
  diagnosticsCollect,
  systemdRestart,
  systemdStart,
  systemdStop,
  systemdReload,
  systemdResetFailed,
  systemdStatus,
  nodeFacts,
  nodeReboot,
  processKill,
  processList,
  logsTail,
];
export const ALL_ACTIONS: ReadonlyMap<string, Action> = new Map(EVERY.map((action) => [action.name, action]));
