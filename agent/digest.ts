import { createHash } from 'node:crypto';
import { canonicalJson } from '../workflows/canonical-json.ts';

/** base64url SHA-256, the form of every digest in orders and receipts. */
export const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('base64url');

/** @throws TypeError for what JSON cannot carry exactly. */
export const digestOf = (value: unknown): string => sha256(canonicalJson(value));
