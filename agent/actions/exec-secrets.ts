import type { CommandDefinition } from '../../config/commands.ts';
import { readSecret } from '../secrets.ts';

/** The secrets that a command names, by variable. @throws RefusalError; no message holds a value */
export async function readSecrets(
  definition: CommandDefinition,
  secretsDir: string | null,
): Promise<Readonly<Record<string, string>>> {
  const values: Record<string, string> = {};
  for (const [variable, name] of Object.entries(definition.secrets))
    values[variable] = await readSecret(name, secretsDir);
  return values;
}
