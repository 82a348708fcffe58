/** `node agent/actions/write-reference.ts` writes docs/actions.md. */
import { writeFile } from 'node:fs/promises';
import { actionsReference } from './reference.ts';

await writeFile(new URL('../../docs/actions.md', import.meta.url), actionsReference());
