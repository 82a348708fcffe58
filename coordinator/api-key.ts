/** The token that a coordinator shows to Temporal itself, read again when its file changes: whoever renews it need not restart anything. */
import { readFile } from 'node:fs/promises';

const LOOK_MS = 10_000;

export type ApiKey = {
  readonly current: () => string;
  readonly stop: () => void;
};

/** Null: the configuration names no file. A file that cannot be read later leaves the last token in use. @throws Error at first */
export async function followApiKey(
  file: string | null,
  onChange: (key: string) => void = () => undefined,
  lookMs = LOOK_MS,
): Promise<ApiKey | null> {
  if (file === null) return null;
  const read = async (): Promise<string> => (await readFile(file, 'utf8')).trim();
  let key = await read();
  const look = async (): Promise<void> => {
    const next = await read().catch(() => key);
    if (next === key || next === '') return;
    key = next;
    onChange(key);
  };
  const timer = setInterval(() => void look(), lookMs).unref();
  return { current: () => key, stop: () => clearInterval(timer) };
}
