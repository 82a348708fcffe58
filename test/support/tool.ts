/** How the project's own tools (`npm run drill`, `check:limits`, `drill:agent`) read their options. */
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { errorMessage } from '../../identity/error-message.ts';

/** What was typed makes no sense: the message says why, the help follows. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

type Values<O extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<{ readonly options: O }>>['values'];

/** @returns the exit code: that of `work`, 0 after the help, 2 for what cannot be read */
export async function runTool<const O extends ParseArgsOptionsConfig>(
  help: string,
  options: O,
  work: (values: Values<O>) => Promise<number>,
): Promise<number> {
  let values;
  try {
    ({ values } = parseArgs({ options }));
    if ('help' in values && values.help === true) {
      process.stdout.write(help);
      return 0;
    }
  } catch (error) {
    return usage(error, help);
  }
  try {
    return await work(values);
  } catch (error) {
    if (error instanceof UsageError) return usage(error, help);
    throw error;
  }
}

function usage(error: unknown, help: string): number {
  process.stderr.write(`${errorMessage(error)}\n\n${help}`);
  return 2;
}

/** @throws UsageError */
export function readSeed(given: string | undefined): number {
  const seed = given === undefined ? Date.now() % 1_000_000 : Number(given);
  if (!Number.isSafeInteger(seed)) throw new UsageError(`--seed ${given}: no whole number`);
  return seed;
}
