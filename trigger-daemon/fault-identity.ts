import { createHash } from 'node:crypto';
import type { TriggerConfig } from '../config/trigger-daemon.ts';
import { canonicalJson } from '../workflows/canonical-json.ts';
import type { Labels } from './aim.ts';

/** `SOURCE/TRIGGER`: whose faults these are. */
export const identitySource = (trigger: Pick<TriggerConfig, 'source' | 'name'>): string =>
  `${trigger.source}/${trigger.name}`;

/**
 * The labels that make a fault this fault: all but the volatile ones and the metric's name. Derived from nothing but the answer and
 * the configuration, so a second daemon and the next process come to the same.
 */
export function identityLabels(labels: Labels, volatile: readonly string[]): Labels {
  const kept = Object.entries(labels).filter(
    ([name, value]) => name !== '__name__' && value !== '' && !volatile.includes(name),
  );
  return Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Key of an identity within one trigger. Lone surrogates, which JSON escapes in many spellings, are replaced first. */
export const identityKey = (labels: Labels): string =>
  canonicalJson(
    Object.fromEntries(Object.entries(labels).map(([name, value]) => [name.toWellFormed(), value.toWellFormed()])),
  );

/** Short name of an identity for logs: the same everywhere for the same fault. */
export const identityDigest = (source: string, key: string): string =>
  createHash('sha256').update(`${source}\n${key}`).digest('base64url').slice(0, 16);
