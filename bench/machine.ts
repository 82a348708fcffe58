/** Where numbers were taken: without it they say nothing. */
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import { runProcess } from '../test/support/processes.ts';
import { temporalBinary } from '../test/support/temporal.ts';

export type Machine = {
  readonly cores: number;
  readonly cpu: string;
  readonly memory_gib: number;
  readonly kernel: string;
  readonly node: string;
  readonly temporal: string;
  readonly temporal_sdk: string;
  /** Of the last minute, at the start: what others were doing. */
  readonly load: number;
  readonly date: string;
};

export async function machine(): Promise<Machine> {
  const sdk: { version: string } = JSON.parse(
    await readFile(new URL('../node_modules/@temporalio/worker/package.json', import.meta.url), 'utf8'),
  );
  const { stdout } = await runProcess([temporalBinary(), '--version']);
  return {
    cores: os.availableParallelism(),
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    memory_gib: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()}`,
    node: process.version,
    temporal: stdout.trim(),
    temporal_sdk: sdk.version,
    load: os.loadavg()[0] ?? 0,
    date: new Date().toISOString(),
  };
}
