import { createConnection, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { jsonLines } from './lines.ts';
import { ALIVE_MS, type Answer, type Question } from './messages.ts';

/** The root helper could not be asked, or gave no answer. */
export class HelperError extends Error {
  override readonly name = 'HelperError';
  /** Nothing of the question ever reached it. */
  readonly unsent: boolean;
  constructor(message: string, unsent: boolean, cause?: unknown) {
    super(message, { cause });
    this.unsent = unsent;
  }
}

export type AskOptions = {
  /** Passed on: the helper ends what runs. */
  readonly signal?: AbortSignal;
  /** No question is sent for the first time after this instant, milliseconds. */
  readonly beginBy: number;
  /** No answer is waited for beyond this instant. */
  readonly until: number;
  /** Called before anything of the question leaves this process. */
  readonly onSend?: () => void;
};

export type FinalAnswer = Exclude<Answer, { alive: true }>;

const AGAIN_MS = 300;
const SILENT_MS = 10 * ALIVE_MS;

export type HelperClient = {
  /**
   * Asks until there is an answer. A connection that is lost after the question was sent is no answer: the same question is put to
   * a new helper, which finds in the ledger what became of it.
   * @throws HelperError when there is none; `unsent` tells whether the question may have had an effect.
   */
  readonly ask: (question: Question, options: AskOptions) => Promise<FinalAnswer>;
  /** Leaves every question unanswered; what runs goes on. */
  readonly close: () => void;
};

export function createHelperClient(path: string): HelperClient {
  const open = new Set<Socket>();
  const closing = new AbortController();
  return {
    async ask(question, { signal, beginBy, until, onSend }) {
      let sent = false;
      for (;;) {
        try {
          return await askOnce(path, question, signal, open, () => {
            sent = true;
            onSend?.();
          });
        } catch (error) {
          const { message } = error as Error;
          const what = `the helper at ${path} ${sent ? 'gave no answer' : 'could not be reached'} (${message})`;
          // Not a moment earlier: what was refused must not begin when the same order comes once more.
          const over = Date.now() > (sent ? until : beginBy);
          if (over || closing.signal.aborted) throw new HelperError(what, !sent, error);
        }
        await sleep(AGAIN_MS, undefined, { signal: closing.signal }).catch(() => undefined);
      }
    },
    close() {
      closing.abort();
      for (const socket of open) socket.destroy(new Error('the agent is stopping'));
    },
  };
}

async function askOnce(
  path: string,
  question: Question,
  signal: AbortSignal | undefined,
  open: Set<Socket>,
  sent: () => void,
): Promise<FinalAnswer> {
  const socket = await connected(path);
  open.add(socket);
  const cancel = (): void =>
    void socket.write(`${JSON.stringify({ cancel: String(signal?.reason ?? 'cancelled') })}\n`);
  try {
    sent();
    socket.write(`${JSON.stringify(question)}\n`);
    signal?.addEventListener('abort', cancel, { once: true });
    if (signal?.aborted === true) cancel();
    socket.setTimeout(SILENT_MS, () => socket.destroy(new Error(`silent for ${SILENT_MS} ms`)));
    for await (const line of jsonLines(socket)) {
      const answer = line as Answer;
      if (!('alive' in answer)) return answer;
    }
    throw new Error('it ended without an answer');
  } finally {
    signal?.removeEventListener('abort', cancel);
    open.delete(socket);
    socket.destroy();
  }
}

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      // Errors after this end the reading of lines, and with it the question.
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}
