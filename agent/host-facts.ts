import { readFileSync } from 'node:fs';
import { readBootId } from './boot-id.ts';

/** What tells this host, and this run of it, from others. */
export type HostFacts = {
  /** New at every boot: nothing that began under another boot id can still be running. */
  readonly bootId: string;
  /** `/etc/machine-id`; empty when the host has none. */
  readonly machineId: string;
  readonly agentVersion: string;
};

/** @throws Error when the kernel's boot id cannot be read. */
export function readHostFacts(agentVersion: string): HostFacts {
  return { bootId: readBootId(), machineId: readMachineId(), agentVersion };
}

function readMachineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim();
  } catch {
    return '';
  }
}
