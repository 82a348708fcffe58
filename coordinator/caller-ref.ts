import { sha256 } from './digest.ts';

const MAX = 60;
const KEPT = 45;

/**
 * A caller as the gate knows it, in at most 60 characters: the whole text, else its end and a digest of all of it. The gate compares who
 * asked with who approves, so everybody who tells it of a caller uses this.
 */
export const callerRef = (text: string): string =>
  text.length <= MAX ? text : `${text.slice(-KEPT)}#${sha256(text).slice(0, 8)}`;
