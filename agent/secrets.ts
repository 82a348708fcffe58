import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArgResolved, Args, ArgValue, Template } from '../workflows/contract.ts';
import { ownershipFault } from './owned-files.ts';
import { RefusalError } from './refusal.ts';

/** Arguments ready for use, and the secret values in them, which must not appear in anything that leaves the host. */
export type FilledArgs = { readonly args: Args; readonly secrets: readonly string[] };

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
const MAX_BYTES = 64 * 1024;

/**
 * Fills `${secret.NAME}` from one file each under `secretsDir` (or of systemd's credentials), without one trailing newline.
 * @throws RefusalError `args_invalid`; no message holds a value.
 */
export async function fillSecrets(
  args: Readonly<Record<string, ArgValue>>,
  secretsDir: string | null,
): Promise<FilledArgs> {
  const values = new Map<string, string>();
  for (const name of secretNames(Object.values(args))) values.set(name, await readSecret(name, secretsDir));
  const filled = Object.fromEntries(Object.entries(args).map(([name, value]) => [name, fill(value, values)]));
  return { args: filled, secrets: [...values.values()] };
}

/** Longest first: a secret that begins another must not spoil it. */
export const withoutSecrets = (text: string, secrets: readonly string[]): string =>
  secrets.toSorted((a, b) => b.length - a.length).reduce((now, secret) => now.replaceAll(secret, '[secret]'), text);

const isTemplate = (value: ArgValue): value is Template => typeof value === 'object' && 'template' in value;

function secretNames(values: readonly ArgValue[]): Set<string> {
  const names = new Set<string>();
  for (const value of values) {
    if (isTemplate(value)) {
      for (const part of value.template) if (typeof part !== 'string') names.add(secretName(part.ref));
    } else if (typeof value === 'object') for (const name of secretNames(value)) names.add(name);
  }
  return names;
}

function secretName(ref: string): string {
  const name = ref.startsWith('secret.') ? ref.slice('secret.'.length) : '';
  if (NAME.test(name)) return name;
  const shown = JSON.stringify(ref.slice(0, 100));
  throw new RefusalError('args_invalid', `an argument holds the reference ${shown}; a host fills only secret.NAME`);
}

/** @throws RefusalError `args_invalid`; no message holds a value. */
export async function readSecret(name: string, secretsDir: string | null): Promise<string> {
  const refuse = (why: string, cause?: unknown): RefusalError =>
    new RefusalError('args_invalid', `secret ${JSON.stringify(name)} ${why}`, cause);
  if (secretsDir === null)
    throw refuse('is asked for, but this host has no secrets_dir and its unit no credentials (LoadCredential=)');
  const fault = await ownershipFault(join(secretsDir, name), secretsDir);
  if (fault !== null) throw refuse(`is not to be trusted: ${fault.place} ${fault.message}`);
  let bytes: Buffer;
  try {
    bytes = await readFile(join(secretsDir, name));
  } catch (error) {
    throw refuse(`cannot be read from ${secretsDir} (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
  }
  if (bytes.length > MAX_BYTES) throw refuse(`is longer than ${MAX_BYTES} bytes`);
  const text = bytes.toString('utf8').replace(/\r?\n$/, '');
  if (text === '') throw refuse('is empty');
  return text;
}

function fill(value: ArgValue, values: ReadonlyMap<string, string>): ArgResolved {
  if (isTemplate(value)) {
    return value.template.map((part) => (typeof part === 'string' ? part : values.get(secretName(part.ref))!)).join('');
  }
  return typeof value === 'object' ? value.map((element) => fill(element, values)) : value;
}
