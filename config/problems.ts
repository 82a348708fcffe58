import type { Place, Problem } from './problem.ts';

/** Collects what is wrong while files are read; nothing is thrown, so that all of it is told at once. */
export class Problems {
  readonly #list: Problem[] = [];

  error(place: Place, path: string, message: string): void {
    this.#list.push({ place, path, severity: 'error', message });
  }

  warn(place: Place, path: string, message: string): void {
    this.#list.push({ place, path, severity: 'warning', message });
  }

  add(problems: readonly Problem[]): void {
    for (const problem of problems) this.#list.push(problem);
  }

  get errors(): number {
    return this.#list.filter((problem) => problem.severity === 'error').length;
  }

  /** In the order of `files`, then by position; at most `MAX_PER_FILE` of one file, and a last one that says there are more. */
  sorted(files: readonly string[]): readonly Problem[] {
    const all = [...files, ...this.#list.map((problem) => problem.place.file)];
    return [...new Set(all)].flatMap((file) => {
      const own = this.#list.filter((problem) => problem.place.file === file).sort(byPosition);
      if (own.length <= MAX_PER_FILE) return own;
      const last = own.slice(MAX_PER_FILE);
      const worst = last.some((problem) => problem.severity === 'error') ? 'error' : 'warning';
      const place = last[0]?.place ?? { file, line: 1, column: 1 };
      return [
        ...own.slice(0, MAX_PER_FILE),
        {
          place,
          path: '',
          severity: worst,
          message: 'and more problems from here on; mend the first ones',
        } as const,
      ];
    });
  }
}

const MAX_PER_FILE = 100;

const byPosition = (a: Problem, b: Problem): number => a.place.line - b.place.line || a.place.column - b.place.column;
