import type { Logger } from 'pino';

/**
 * What a role started, undone last first and by name. A failing undo is logged and does not keep the others from running;
 * the same stack undoes a start that failed half-way.
 */
export class UndoStack implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #log: Logger;
  #current: string | null = null;
  #failures = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Registers how to undo something that exists from now on. */
  add(name: string, undo: () => Promise<void> | void): void {
    this.#stack.defer(async () => {
      this.#current = name;
      try {
        await undo();
        this.#log.debug({ part: name }, 'stopped');
      } catch (error) {
        this.#failures += 1;
        this.#log.error({ part: name, error }, 'could not be stopped in order');
      }
      this.#current = null;
    });
  }

  /** What is being undone now; null before, between and after. */
  get current(): string | null {
    return this.#current;
  }

  get failures(): number {
    return this.#failures;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}
