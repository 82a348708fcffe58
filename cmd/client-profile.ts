import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ClientProfile } from '../config/client.ts';
import { loadClientProfile } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import { parseSpiffeId } from '../config/spiffe-id.ts';
import { CommandError, EXIT } from './exit-code.ts';
import type { ClientFlags } from './fettle-command.ts';
import { type Io, note } from './io.ts';
import { printable } from './printable.ts';

/** A profile as far as flags, environment and file name it; `bundle` may be missing when only plain HTTP is spoken. */
export type ResolvedProfile = Omit<ClientProfile, 'bundle'> & { readonly bundle: string | null };

/** Plain HTTP proves no id; the client still wants one that is well formed. */
const NO_ID = 'spiffe://localhost/coordinator';

/**
 * How to reach a coordinator: each value from its flag, else its environment variable, else the profile's file.
 * @throws CommandError (2) saying what is missing; (3) when the file is invalid, after printing its problems.
 */
export async function resolveProfile(io: Io, flags: ClientFlags): Promise<ResolvedProfile> {
  const named = {
    addresses: flags.coordinator ?? listOf(io.env['FETTLE_COORDINATOR']),
    coordinatorId: flags.coordinatorId ?? set(io.env['FETTLE_COORDINATOR_ID']),
    certificate: flags.cert ?? set(io.env['FETTLE_CERT']),
    key: flags.key ?? set(io.env['FETTLE_KEY']),
    bundle: flags.bundle ?? set(io.env['FETTLE_BUNDLE']),
  };
  const complete = Object.values(named).every((value) => value !== undefined);
  const plain = named.addresses?.every((address) => address.startsWith('http://')) ?? false;
  const file = complete || plain ? null : await readProfile(io);
  return check({
    addresses: named.addresses ?? file?.addresses ?? [],
    coordinatorId: named.coordinatorId ?? file?.coordinatorId ?? null,
    certificate: named.certificate ?? file?.certificate ?? null,
    key: named.key ?? file?.key ?? null,
    bundle: named.bundle ?? file?.bundle ?? null,
  });
}

/** Where the profile's file is: FETTLE_PROFILE, else `fettle/client.hcl` in the user's configuration directory. */
export function profilePath(io: Pick<Io, 'env'>): string {
  const base = set(io.env['XDG_CONFIG_HOME']) ?? join(set(io.env['HOME']) ?? homedir(), '.config');
  return set(io.env['FETTLE_PROFILE']) ?? join(base, 'fettle', 'client.hcl');
}

async function readProfile(io: Io): Promise<ClientProfile | null> {
  const path = profilePath(io);
  if (!existsSync(path)) {
    if (set(io.env['FETTLE_PROFILE']) === undefined) return null;
    throw new CommandError(
      EXIT.usage,
      `FETTLE_PROFILE names ${path}, and there is no such file`,
      'unset FETTLE_PROFILE',
    );
  }
  const loaded = await loadClientProfile(path);
  for (const problem of loaded.problems) note(io, printable(formatProblem(problem)));
  if (loaded.config === null)
    throw new CommandError(EXIT.invalidConfig, `the client profile ${path} is invalid`, `fettle validate ${path}`);
  return loaded.config;
}

function check(found: Omit<ResolvedProfile, 'coordinatorId'> & { coordinatorId: string | null }): ResolvedProfile {
  const missing = (what: string): never => {
    throw new CommandError(EXIT.usage, what, 'fettle status --help');
  };
  if (found.addresses.length === 0) {
    return missing(
      'no coordinator is named; use --coordinator https://host:7443, FETTLE_COORDINATOR, or addresses in ~/.config/fettle/client.hcl',
    );
  }
  const secure = found.addresses.some((address) => !address.startsWith('http://'));
  if (secure && found.coordinatorId === null) {
    return missing(
      'the id that the coordinator must prove is not named; use --coordinator-id spiffe://..., or FETTLE_COORDINATOR_ID',
    );
  }
  if (secure && found.bundle === null) {
    return missing('no authorities to check the coordinator with; use --bundle FILE, or FETTLE_BUNDLE');
  }
  if ((found.certificate === null) !== (found.key === null)) {
    return missing(`a certificate needs its key: ${found.key === null ? '--key FILE' : '--cert FILE'} is missing`);
  }
  const coordinatorId = found.coordinatorId ?? NO_ID;
  try {
    parseSpiffeId(coordinatorId);
  } catch (error) {
    return missing((error as Error).message);
  }
  return { ...found, coordinatorId };
}

const set = (value: string | undefined): string | undefined =>
  value === undefined || value === '' ? undefined : value;

/** Addresses in one variable are parted by commas or blanks. */
const listOf = (value: string | undefined): string[] | undefined =>
  set(value)
    ?.split(/[\s,]+/)
    .filter((part) => part !== '');
