import { readFileSync } from 'node:fs';

/** Set in the units as `%b`, which is systemd's own view. */
export const BOOT_ID_VARIABLE = 'FETTLE_BOOT_ID';

/**
 * New at every boot. Where systemd names it, its word counts: a unit that is given a /proc of its own (ProtectProc=,
 * ProtectKernelTunables=) reads there, inside a container, the boot id of the machine around it, which outlives the container's reboots.
 * @throws Error when the kernel's cannot be read
 */
export function readBootId(environment: NodeJS.ProcessEnv = process.env): string {
  const named = environment[BOOT_ID_VARIABLE] ?? '';
  if (!/^[0-9a-f]{32}$/.test(named)) return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return named.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
