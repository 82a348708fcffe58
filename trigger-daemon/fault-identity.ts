import { createHash } from 'node:crypto';
import type { TriggerConfig } from '../config/trigger-daemon.ts';
import type { Labels } from './aim.ts';

/** `SOURCE/TRIGGER`: whose faults these are. */
export const identitySource = (trigger: Pick<TriggerConfig, 'source' | 'name'>): string =>
  `${trigger.source}/${trigger.name}`;

/**
 * The labels that make a fault this fault: all but the volatile ones and the metric's name. Derived from nothing but the answer and
 * the configuration, so a second daemon and the next process come to the same.
 */
export function identityLabels(labels: Labels, volatile: ReadonlySet<string>): Labels {
  const names = Object.keys(labels).filter((name) => name !== '__name__' && labels[name] !== '' && !volatile.has(name));
  return Object.fromEntries(names.sort(byCodeUnit).map((name) => [name, labels[name] ?? '']));
}

const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : 1);

/** Key of an identity within one trigger, from labels in the order `identityLabels` gives them. */
export const identityKey = (labels: Labels): string => JSON.stringify(Object.entries(labels).flat());

/** Short name of an identity for logs: the same everywhere for the same fault. */
export const identityDigest = (source: string, key: string): string =>
  createHash('sha256').update(`${source}\n${key}`).digest('base64url').slice(0, 16);
