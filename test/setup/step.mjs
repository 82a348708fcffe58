/**
 * How set-up shows its work: on standard error, one line when a step begins, a moving line on a terminal (a plain line every
 * ten seconds elsewhere) while it lasts, one line when it ends. Runs under the machine's own Node and has no dependencies.
 */
import { spawn } from 'node:child_process';

const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const PLAIN_EVERY_MS = 10_000;
const KEPT_OUTPUT = 60;

/** A step that could not be done. `mend` is the one command that puts it right. */
export class SetupError extends Error {
  /** @param {string} message @param {string} mend */
  constructor(message, mend) {
    super(message);
    this.name = 'SetupError';
    this.mend = mend;
  }
}

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {() => string | null} missing what is missing, or null when the step is done; must be quick
 * @property {(progress: Progress) => Promise<string>} make does it, and says what it got
 */

export class Progress {
  #name;
  #began = Date.now();
  #note = '';
  #turn = 0;
  #timer;

  /** @param {string} name @param {string} why */
  constructor(name, why) {
    this.#name = name;
    const tty = process.stderr.isTTY;
    if (!tty) process.stderr.write(`set-up: ${name}: ${why}\n`);
    else this.#note = why;
    this.#timer = setInterval(() => this.#show(), tty ? 100 : PLAIN_EVERY_MS);
    if (tty) this.#show();
  }

  /** @param {string} text what is being done now */
  note(text) {
    this.#note = text.trim();
    if (!process.stderr.isTTY) process.stderr.write(`set-up: ${this.#name}: ${this.#note}\n`);
  }

  /** @param {string} text a passing detail: shown with the elapsed time only */
  detail(text) {
    // Addresses say little and fill the line.
    this.#note = text.trim().replaceAll(/https?:\/\/\S*\//g, '');
  }

  #seconds() {
    return Math.round((Date.now() - this.#began) / 1000);
  }

  #show() {
    if (!process.stderr.isTTY) {
      process.stderr.write(`set-up: ${this.#name}: ${this.#seconds()} s … ${this.#note}\n`);
      return;
    }
    const text = `${SPINNER[this.#turn++ % SPINNER.length]} ${this.#name} ${this.#seconds()} s  ${this.#note}`;
    process.stderr.write(`\r\x1b[2K${text.slice(0, (process.stderr.columns || 80) - 1)}`);
  }

  /** @param {string} result */
  done(result) {
    clearInterval(this.#timer);
    const clear = process.stderr.isTTY ? '\r\x1b[2K' : '';
    process.stderr.write(`${clear}set-up: ${this.#name}: ${result} (${this.#seconds()} s)\n`);
  }

  stop() {
    clearInterval(this.#timer);
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K');
  }
}

/**
 * Runs a program, its last output line as the progress note.
 * @param {string[]} argv
 * @param {{ cwd?: string, env?: Record<string, string>, progress?: Progress, timeoutMs?: number }} [options]
 * @returns {Promise<{ code: number, output: string }>} 127 when it does not exist
 */
export function run(argv, options = {}) {
  return new Promise((resolve) => {
    const [command = '', ...args] = argv;
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.timeoutMs && { timeout: options.timeoutMs, killSignal: 'SIGKILL' }),
    });
    /** @type {string[]} */
    let lines = [];
    const hear = (/** @type {Buffer} */ chunk) => {
      const fresh = chunk
        .toString()
        .split(/[\r\n]+/)
        .filter((line) => line.trim());
      lines = [...lines, ...fresh].slice(-KEPT_OUTPUT);
      const last = fresh.at(-1);
      if (last) options.progress?.detail(last);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.on('error', (error) => resolve({ code: 127, output: String(error) }));
    child.on('close', (code) => resolve({ code: code ?? 128, output: lines.join('\n') }));
  });
}
