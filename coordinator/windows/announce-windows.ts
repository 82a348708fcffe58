/** Tells the gate what is closed. Each coordinator does, every minute and whenever its windows change. */
import type { Logger } from 'pino';
import type { WindowConfig } from '../../config/window.ts';
import type { Answer, Window } from '../../workflows/gate/operations.ts';
import { windowOperations } from './window-operations.ts';

export type WindowParts = {
  /** Of this coordinator. */
  readonly name: string;
  readonly gate: { readonly submit: (operation: Window) => Promise<Answer> };
  readonly windows: () => readonly WindowConfig[];
  readonly log: Logger;
};

/** @throws what the gate's client throws; what could be told was told all the same */
export async function announceWindows({ name, gate, windows, log }: WindowParts): Promise<void> {
  const operations = windowOperations(windows(), {
    by: name,
    now: Date.now(),
    onTrouble: (window, error) => log.error({ error, window }, 'a window cannot be worked out: it is kept closed'),
  });
  await Promise.all(
    operations.map(async (operation) => {
      const answer = await gate.submit(operation);
      if (answer.a !== 'ok') log.warn({ answer, window: operation.nm }, 'the gate did not take a window');
    }),
  );
}
