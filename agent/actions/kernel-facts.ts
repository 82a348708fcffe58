/** What /proc says of the host as a whole. What a kernel does not have is left out. */
import { readFile } from 'node:fs/promises';
import { availableParallelism, release } from 'node:os';

export type KernelFacts = Record<string, string | number>;

const read = (file: string): Promise<string> => readFile(`/proc/${file}`, 'utf8').catch(() => '');

export async function kernelFacts(): Promise<KernelFacts> {
  const [load, memory, uptime, cpu, io, stalled] = await Promise.all(
    ['loadavg', 'meminfo', 'uptime', 'pressure/cpu', 'pressure/io', 'pressure/memory'].map(read),
  );
  return {
    kernel: release(),
    uptime_s: Math.floor(Number(uptime!.split(' ')[0])),
    cpus: availableParallelism(),
    ...loadFacts(load!),
    ...memoryFacts(memory!),
    ...pressureFacts('cpu', cpu!),
    ...pressureFacts('io', io!),
    ...pressureFacts('memory', stalled!),
  };
}

function loadFacts(text: string): KernelFacts {
  const [one, five, fifteen] = text.split(' ').map(Number);
  return one === undefined || Number.isNaN(one) || text === '' ? {} : { load_1: one, load_5: five!, load_15: fifteen! };
}

/** In MiB; /proc/meminfo counts in KiB. */
export function memoryFacts(text: string): KernelFacts {
  const kib = (name: string): number | null => {
    const found = new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text)?.[1];
    return found === undefined ? null : Number(found);
  };
  const facts: KernelFacts = {};
  const share = (prefix: string, total: number | null, left: number | null, name: string): void => {
    if (total === null || left === null) return;
    facts[`${prefix}_total_mb`] = Math.round(total / 1024);
    facts[`${prefix}_${name}_mb`] = Math.round(left / 1024);
    if (total > 0) facts[`${prefix}_${name}_percent`] = Math.round((1000 * left) / total) / 10;
  };
  share('memory', kib('MemTotal'), kib('MemAvailable'), 'available');
  share('swap', kib('SwapTotal'), kib('SwapFree'), 'free');
  return facts;
}

/** Share of the last ten seconds in which some, or all, processes waited for it, in percent. */
export function pressureFacts(of: string, text: string): KernelFacts {
  const lines = [...text.matchAll(/^(some|full) avg10=(\d+\.\d+)/gm)];
  return Object.fromEntries(lines.map(([, who, share]) => [`pressure_${of}_${who}_percent`, Number(share)]));
}
