import type { Scalar } from '../../workflows/contract.ts';

/** What docs/actions.md says of an action beyond what its name, its arguments and its kind tell. */
export type ActionPage = {
  /** Paragraphs of Markdown: what it does, what it refuses, what bounds it. */
  readonly about: readonly string[];
  /** Facts of its receipt, by name; `*` at the end of a name stands for several. */
  readonly facts: Readonly<Record<string, string>>;
  /** What a dry run answers. */
  readonly rehearsal: string;
  /** Arguments of a step that does something sensible. */
  readonly example: Readonly<Record<string, Scalar>>;
};
