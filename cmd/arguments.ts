import { CommandError, EXIT } from './exit-code.ts';

/**
 * `name=text` is a string as it stands; `name:=json` is the JSON value. Nothing is guessed: `lines=100` is text.
 * @throws CommandError saying which argument is wrong.
 */
export function parseArguments(words: readonly string[]): Record<string, unknown> {
  const args = new Map<string, unknown>();
  for (const word of words) {
    const [, name, typed, text] = /^([A-Za-z_][A-Za-z0-9_-]*)(:?)=(.*)$/s.exec(word) ?? [];
    if (name === undefined || text === undefined)
      throw wrong(`--arg ${JSON.stringify(word)}: write name=value, or name:=json`);
    if (args.has(name)) throw wrong(`--arg ${name} is given twice; for a list write ${name}:='["a","b"]'`);
    args.set(name, typed === ':' ? parseJson(name, text) : text);
  }
  return Object.fromEntries(args);
}

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw wrong(
      `--arg ${name}:=... is not JSON; write e.g. ${name}:=3, ${name}:=true or ${name}:='["a"]', or ${name}=text`,
    );
  }
}

const wrong = (message: string): CommandError => new CommandError(EXIT.usage, message, 'fettle workflows -o json');
