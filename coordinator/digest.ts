/** Digests of what must not differ: plans, definitions, identities, arguments. */
import { createHash } from 'node:crypto';
import { canonicalJson } from '../workflows/canonical-json.ts';

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url');

/** base64url SHA-256 of the canonical JSON. */
export const digestOf = (value: unknown): string => sha256(canonicalJson(value));

/** 128 bits of it: enough for names that only have to differ, and short enough for the gate's state. */
export const shortDigestOf = (value: unknown): string => digestOf(value).slice(0, 22);
