/** Where something stands in a file. Lines and columns count from 1, columns in code points. */
export type Place = { readonly file: string; readonly line: number; readonly column: number };

/** One thing wrong in a file: where, at which path of blocks and keys, what, and what to write instead. */
export type Problem = {
  readonly place: Place;
  /** e.g. `server_config.route_rule["global_get"].method`; empty when the text itself cannot be read. */
  readonly path: string;
  readonly severity: 'error' | 'warning';
  /** "what is wrong; what to write". */
  readonly message: string;
};

/** `file:line:col: path: message` */
export const formatProblem = (problem: Problem): string => {
  const { file, line, column } = problem.place;
  const at = `${file}:${line}:${column}: `;
  const path = problem.path === '' ? '' : `${problem.path}: `;
  const warning = problem.severity === 'warning' ? 'warning: ' : '';
  return at + warning + path + problem.message;
};
