import { DevCaError, writeSecret } from '../identity/dev-ca.ts';
import {
  CA_NOTICE,
  type CaIssueOptions,
  runCaGrantKey,
  runCaInit,
  runCaIssue,
  runCaTokenKey,
  type Subject,
} from './ca.ts';
import { signTemporalToken, TokenKeyError } from '../coordinator/agent-token/token-keys.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import { type Io, note, say } from './io.ts';
import { printable } from './printable.ts';

export type CaInitFlags = { readonly dir: string; readonly trustDomain: string };
export type CaIssueFlags = {
  readonly dir: string;
  readonly out: string;
  readonly hours?: number;
  readonly renew?: true;
};
export type GrantKeyFlags = { readonly out: string };

/** `fettle ca init`: what was written, one path a line, on standard output. */
export async function caInit(io: Io, flags: CaInitFlags): Promise<ExitCode> {
  const { bundle, key, trustDomain } = await explained(runCaInit(flags), 'fettle ca init --help');
  say(io, printable(bundle));
  say(io, printable(key));
  note(io, CA_NOTICE);
  note(io, `Every part of ${trustDomain} gets the bundle; the key never leaves this directory.`);
  note(io, `Next: fettle ca issue coordinator --dir ${flags.dir} --out coordinator-1`);
  return EXIT.ok;
}

/** `fettle ca issue SUBJECT` */
export async function caIssue(io: Io, words: string, flags: CaIssueFlags): Promise<ExitCode> {
  const { dir: caDir, out, hours, renew } = flags;
  const options: CaIssueOptions = {
    caDir,
    subject: parseSubject(words),
    out,
    ...(hours === undefined ? {} : { hours }),
    ...(renew === undefined ? {} : { renew }),
  };
  const written = await explained(runCaIssue(options), 'fettle ca issue --help');
  for (const file of [written.certificate, written.key, written.bundle]) say(io, printable(file));
  note(io, `${written.id.text}, valid until ${written.notAfter.toISOString()}`);
  return EXIT.ok;
}

/** `coordinator`, `agent/DATACENTER/TYPE/NODE`, `trigger-daemon/NAME`, `person/NAME`, or a whole id. @throws CommandError */
export function parseSubject(text: string): Subject {
  if (text.startsWith('spiffe://')) return { kind: 'id', id: text };
  const [kind, first, second, third, ...rest] = text.split('/');
  if (kind === 'coordinator' && first === undefined) return { kind };
  if ((kind === 'trigger-daemon' || kind === 'person') && first !== undefined && second === undefined)
    return { kind, name: first };
  if (kind === 'agent' && first !== undefined && second !== undefined && third !== undefined && rest.length === 0) {
    return { kind, datacenter: first, nodeType: second, node: third };
  }
  throw new CommandError(
    EXIT.usage,
    `${JSON.stringify(text)} is nobody to issue a certificate for; write coordinator, agent/DATACENTER/TYPE/NODE, trigger-daemon/NAME, person/NAME or spiffe://...`,
    'fettle ca issue --help',
  );
}

/** `fettle ca grant-key` */
export async function caGrantKey(io: Io, flags: GrantKeyFlags): Promise<ExitCode> {
  const { privateKey, publicKey } = await explained(runCaGrantKey(flags), 'fettle ca grant-key --help');
  say(io, printable(privateKey));
  say(io, printable(publicKey));
  note(io, 'The first is for coordinators only (grant_key); the second for every agent (grant_keys).');
  return EXIT.ok;
}

/** `fettle ca token-key` */
export async function caTokenKey(io: Io, flags: GrantKeyFlags): Promise<ExitCode> {
  const { privateKey, jwks } = await explained(runCaTokenKey(flags), 'fettle ca token-key --help');
  say(io, printable(privateKey));
  say(io, printable(jwks));
  note(io, 'The first is for coordinators only (agent_tokens { key }): whoever has it can be anybody to Temporal.');
  note(
    io,
    `The second is for Temporal: jwtKeyProvider { keySourceURIs: ["file://..."] }, or each coordinator serves it.`,
  );
  note(io, `Next: fettle ca temporal-token --key ${printable(privateKey)} --out temporal.token`);
  return EXIT.ok;
}

export type TemporalTokenFlags = {
  readonly key: string;
  readonly out: string;
  readonly hours?: number;
  readonly namespace: string;
  readonly agentsNamespace: string;
  readonly renew?: true;
};

const DEFAULT_HOURS = 24 * 90;

/** `fettle ca temporal-token`: what coordinators show to Temporal themselves (api_key_file). */
export async function caTemporalToken(io: Io, flags: TemporalTokenFlags): Promise<ExitCode> {
  const { key, out, hours = DEFAULT_HOURS, namespace, agentsNamespace } = flags;
  const next = 'fettle ca temporal-token --help';
  try {
    const expires = new Date(io.now() + hours * 3_600_000);
    const permissions = ['temporal-system:admin', `${namespace}:admin`, `${agentsNamespace}:admin`];
    const token = await signTemporalToken(key, { subject: 'fettle-coordinator', permissions, expires, now: io.now() });
    await explained(writeSecret(out, `${token}\n`, flags.renew === true), next);
    say(io, printable(out));
    note(io, `${permissions.join(', ')}, valid until ${expires.toISOString()}`);
    note(
      io,
      'For coordinators only: temporal { api_key_file }. With --renew make another in time; they read it again.',
    );
    return EXIT.ok;
  } catch (error) {
    if (error instanceof TokenKeyError) throw new CommandError(EXIT.failed, error.message, next, { cause: error });
    throw error;
  }
}

async function explained<T>(work: Promise<T>, next: string): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof DevCaError) throw new CommandError(EXIT.failed, error.message, next, { cause: error });
    throw error;
  }
}
