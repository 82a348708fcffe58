import { formatProblem, type Problem } from './problem.ts';

export type Loaded<T> = {
  /** Null when any problem is an error. */
  readonly config: T | null;
  /** In file order, then by position; warnings among them. */
  readonly problems: readonly Problem[];
  /** Those that were read. */
  readonly files: readonly string[];
};

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}

/** @throws ConfigError with every problem, when there is an error among them. */
export function configOf<T>(loaded: Loaded<T>): T {
  if (loaded.config === null) throw new ConfigError(loaded.problems);
  return loaded.config;
}
