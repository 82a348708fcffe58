/** Temporal → the plain record that the checks read. Nothing but Temporal is asked, and one file of effects if there is one. */
import { readFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import { gateWorkflowId } from '../../workflows/contract.ts';
import { readActions } from './read-actions.ts';
import { readExecutions } from './read-executions.ts';
import { readJournal } from './read-gate.ts';
import type { Effect, ProofRecord } from './record.ts';

export type ReadOptions = {
  readonly address: string;
  readonly domain: string;
  /** What closed before is not read. */
  readonly since: number;
  /** JSON lines that commands wrote; null = none. */
  readonly effects: string | null;
};

/** @throws when Temporal cannot be reached or holds no gate of the domain. */
export async function readRecord({ address, domain, since, effects }: ReadOptions): Promise<ProofRecord> {
  const connection = await Connection.connect({ address, connectTimeout: 10_000 });
  try {
    const control = new Client({ connection, namespace: 'fettle' });
    const agents = new Client({ connection, namespace: 'fettle-agents' });
    // Executions and receipts first: all that they stand on is then in the journal.
    const executions = await readExecutions(control, domain, since);
    const actions = await readActions(agents, since);
    const written = effects === null ? [] : await readEffects(effects);
    const readAt = Date.now();
    const { entries, whole } = await readJournal(control, gateWorkflowId(domain));
    return { journal: entries, whole, executions, actions, effects: written, readAt };
  } finally {
    await connection.close();
  }
}

/** A line cut short by a crash says nothing. */
async function readEffects(file: string): Promise<Effect[]> {
  const text = await readFile(file, 'utf8');
  return text.split('\n').flatMap((line): Effect[] => {
    try {
      return [JSON.parse(line) as Effect];
    } catch {
      return [];
    }
  });
}
