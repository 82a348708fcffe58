/** Recorded histories, replayed with each change of workflow code. */
import path from 'node:path';

export const historiesDir = path.join(import.meta.dirname, '..', 'histories');
