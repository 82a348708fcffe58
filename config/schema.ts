/**
 * How a kind of file is described: its blocks, their attributes, types, defaults and what they mean. The very same description reads
 * the files (`readSection`) and makes docs/configuration.md (reference.ts), so the two cannot drift apart.
 */
import type { HclBlock, HclBody, HclLabel, HclValue } from './hcl/decode.ts';
import { didYouMean } from './did-you-mean.ts';
import type { Place } from './problem.ts';
import type { Problems } from './problems.ts';

/** Where a value stands and where to complain about it. */
export type Reader = { readonly path: string; readonly problems: Problems };

export type ValueType<T> = {
  /** For people, e.g. `duration`. */
  readonly name: string;
  /** Reports what is wrong and returns undefined, or the checked value. Never given `null`. */
  readonly read: (value: HclValue, reader: Reader) => T | undefined;
};

export type Attribute<T> = {
  readonly type: ValueType<T>;
  readonly doc: string;
  readonly required: boolean;
  /** What holds when it is left out; null when that is "nothing". */
  readonly fallback: T | undefined;
  /** The default as an operator would write it. */
  readonly shown: string | null;
};

export type Label = { readonly name: string; readonly doc: string; readonly type: ValueType<string> };
export type BlockUse<B extends Block = Block> = {
  readonly block: B;
  readonly many: boolean;
  /** Also with the same labels: each stands for itself. */
  readonly alike?: true;
  readonly required: boolean;
};
// Attributes are invariant in their type, so a schema of any attributes needs `any`'s one honest use.
// oxlint-disable-next-line typescript/no-explicit-any
type AnyAttribute = Attribute<any>;
export type Block = {
  readonly doc: string;
  readonly labels: readonly Label[];
  readonly attributes: Readonly<Record<string, AnyAttribute>>;
  readonly blocks: Readonly<Record<string, BlockUse>>;
};

export const required = <T>(type: ValueType<T>, doc: string): Attribute<T> => ({
  type,
  doc,
  required: true,
  fallback: undefined,
  shown: null,
});
export const optional = <T>(type: ValueType<T>, doc: string): Attribute<T | null> => ({
  type,
  doc,
  required: false,
  fallback: null,
  shown: null,
});
export const withDefault = <T>(type: ValueType<T>, doc: string, fallback: T, shown: string): Attribute<T> => ({
  type,
  doc,
  required: false,
  fallback,
  shown,
});
export const one = <B extends Block>(block: B): BlockUse<B> => ({ block, many: false, required: false });
export const needed = <B extends Block>(block: B): BlockUse<B> => ({ block, many: false, required: true });
export const many = <B extends Block>(block: B): BlockUse<B> => ({ block, many: true, required: false });
export const several = <B extends Block>(block: B): BlockUse<B> => ({
  block,
  many: true,
  alike: true,
  required: false,
});

/** Typed as written; a missing part is an empty record. */
export const block = <
  const L extends readonly Label[],
  const A extends Readonly<Record<string, AnyAttribute>>,
  const B extends Readonly<Record<string, BlockUse>>,
>(described: {
  doc: string;
  labels?: L;
  attributes?: A;
  blocks?: B;
}): Block & { labels: L; attributes: A; blocks: B } => ({
  doc: described.doc,
  labels: described.labels ?? ([] as unknown as L),
  attributes: described.attributes ?? ({} as A),
  blocks: described.blocks ?? ({} as B),
});

type ValuesOf<A> = { readonly [K in keyof A]: A[K] extends Attribute<infer T> ? T : never };

export type Section<B extends Block> = {
  /** Where its name stands; for a whole file, its beginning. */
  readonly place: Place;
  readonly path: string;
  /** In the order of the schema; empty strings where they are missing. */
  readonly labels: readonly string[];
  /** Null when an attribute or label is missing or wrong (and was reported): what rests on it cannot be judged. */
  readonly values: ValuesOf<B['attributes']> | null;
  /** Those that could be read, whatever became of the others. */
  readonly readable: Partial<ValuesOf<B['attributes']>>;
  /** What was written, by name. */
  readonly given: ReadonlyMap<string, HclValue>;
  readonly blocks: { readonly [K in keyof B['blocks']]: readonly Section<B['blocks'][K]['block']>[] };
};

export type ReadOptions = {
  readonly problems: Problems;
  /** False for a part of a configuration: then nothing is asked for that is not there, at this level. */
  readonly complete: boolean;
};

const pathOf = (parent: string, name: string): string => (parent === '' ? name : `${parent}.${name}`);

/** Reads a body by its schema. Every problem goes to `options.problems`. */
export function readSection<B extends Block>(
  schema: B,
  body: HclBody,
  at: { place: Place; path: string; labels: readonly HclLabel[] },
  options: ReadOptions,
): Section<B> {
  const { problems } = options;
  const readable: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  const given = new Map<string, HclValue>();
  let good = readLabels(schema, at, problems);
  for (const [name, attribute] of body.attributes) {
    if (Object.hasOwn(schema.attributes, name)) given.set(name, attribute.value);
    else problems.error(attribute.place, pathOf(at.path, name), unknownAttribute(schema, name));
  }
  for (const [name, attribute] of Object.entries(schema.attributes)) {
    const value = readAttribute(attribute, given.get(name), { name, at, options });
    if (value === undefined) good = false;
    else readable[name] = value;
  }
  const values = good ? readable : null;
  return {
    place: at.place,
    path: at.path,
    labels: schema.labels.map((_, index) => at.labels[index]?.text ?? ''),
    values: values as Section<B>['values'],
    readable: readable as Section<B>['readable'],
    given,
    blocks: readBlocks(schema, body, at, options) as Section<B>['blocks'],
  };
}

function readAttribute<T>(
  attribute: Attribute<T>,
  value: HclValue | undefined,
  where: { name: string; at: { place: Place; path: string }; options: ReadOptions },
): T | undefined {
  const path = pathOf(where.at.path, where.name);
  const { problems, complete } = where.options;
  if (value === undefined) {
    if (attribute.required && complete)
      problems.error(
        where.at.place,
        path,
        `is missing; write ${where.name} = ${attribute.type.name.includes(' ') ? '...' : `<${attribute.type.name}>`}`,
      );
    return attribute.required ? undefined : attribute.fallback;
  }
  if (value.kind === 'null') {
    problems.error(value.place, path, 'null is no value here; leave the attribute out');
    return undefined;
  }
  return attribute.type.read(value, { path, problems });
}

function unknownAttribute(schema: Block, name: string): string {
  if (Object.hasOwn(schema.blocks, name))
    return `${name} is a block, not an attribute; write ${name} { ... } without =`;
  return `unknown attribute ${name}${didYouMean(name, Object.keys(schema.attributes))}`;
}

function readLabels(
  schema: Block,
  at: { place: Place; path: string; labels: readonly HclLabel[] },
  problems: Problems,
): boolean {
  let good = true;
  for (const [index, label] of schema.labels.entries()) {
    const written = at.labels[index];
    if (written === undefined) {
      problems.error(at.place, at.path, `the ${label.name} is missing; write it in quotes behind the block's type`);
      return false;
    }
    const value = { kind: 'string', parts: [written.text], partPlaces: [written.place], place: written.place } as const;
    if (label.type.read(value, { path: at.path, problems }) === undefined) good = false;
  }
  const extra = at.labels[schema.labels.length];
  if (extra === undefined) return good;
  problems.error(extra.place, at.path, `${JSON.stringify(extra.text)} is one label too many; take it away`);
  return false;
}

function readBlocks(
  schema: Block,
  body: HclBody,
  at: { place: Place; path: string },
  options: ReadOptions,
): Record<string, unknown[]> {
  const { problems } = options;
  const read: Record<string, unknown[]> = Object.create(null) as Record<string, unknown[]>;
  for (const name of Object.keys(schema.blocks)) read[name] = [];
  const first = new Map<string, HclBlock>();
  for (const written of body.blocks) {
    const use = Object.hasOwn(schema.blocks, written.type) ? schema.blocks[written.type] : undefined;
    const list = read[written.type];
    if (use === undefined || list === undefined) {
      problems.error(written.place, pathOf(at.path, written.type), unknownBlock(schema, written.type));
      continue;
    }
    const path = pathOf(at.path, written.type) + blockKey(written, use, list.length);
    const earlier = firstOf(first, written);
    if (earlier !== null && use.alike !== true && (!use.many || written.labels.length > 0)) {
      problems.error(
        written.place,
        path,
        `is already written at ${placeFrom(written.place, earlier.place)}; ${use.many ? 'give one of the two another name' : 'it may stand once: merge the two'}`,
      );
    }
    list.push(
      readSection(
        use.block,
        written.body,
        { place: written.place, path, labels: written.labels },
        { problems, complete: true },
      ),
    );
  }
  if (options.complete) missingBlocks(schema, read, at, problems);
  return read;
}

/** The block written before with the same type and labels, if any; this one is remembered otherwise. */
function firstOf(first: Map<string, HclBlock>, written: HclBlock): HclBlock | null {
  const key = JSON.stringify([written.type, ...written.labels.map((label) => label.text)]);
  const earlier = first.get(key);
  if (earlier === undefined) first.set(key, written);
  return earlier ?? null;
}

/** `["name"]` from the labels or the `name` attribute, else `[index]` for blocks that may repeat. */
function blockKey(written: HclBlock, use: BlockUse, index: number): string {
  const name = written.body.attributes.get('name')?.value;
  if (written.labels.length > 0) return written.labels.map((label) => `[${JSON.stringify(label.text)}]`).join('');
  const [text] = name?.kind === 'string' ? name.parts : [];
  if (use.many && typeof text === 'string') return `[${JSON.stringify(text)}]`;
  return use.many ? `[${index}]` : '';
}

function unknownBlock(schema: Block, name: string): string {
  if (Object.hasOwn(schema.attributes, name)) return `${name} is an attribute, not a block; write ${name} = value`;
  return `unknown block ${name}${didYouMean(name, Object.keys(schema.blocks))}`;
}

function missingBlocks(
  schema: Block,
  read: Record<string, unknown[]>,
  at: { place: Place; path: string },
  problems: Problems,
): void {
  for (const [name, use] of Object.entries(schema.blocks)) {
    if (use.required && read[name]?.length === 0)
      problems.error(at.place, pathOf(at.path, name), `the block is missing; write ${name} { ... }`);
  }
}

/** Another place as seen from this one: `12:3`, with its file when that differs. */
export const placeFrom = (here: Place, there: Place): string =>
  `${here.file === there.file ? '' : `${there.file}:`}${there.line}:${there.column}`;
