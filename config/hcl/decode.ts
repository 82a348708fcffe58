/**
 * HCL text → literal values, each with its place. Three readers must agree: the scan (strings, brackets, limits), the grammar over its
 * tokens (line breaks, literals only, words for people), and the tree. What they do not agree about is refused.
 */
import type { Node } from 'web-tree-sitter';
import type { Place, Problem } from '../problem.ts';
import { checkGrammar } from './grammar.ts';
import { parseTree } from './parse.ts';
import { MAX_BYTES, MAX_FOUND, scan, type Scan } from './scan.ts';
import { literalOf, type StringPart } from './templates.ts';
import { sourceText, type SourceText } from './text.ts';

type At = { readonly place: Place };
export type HclString = At & {
  readonly kind: 'string';
  readonly parts: readonly StringPart[];
  readonly partPlaces: readonly Place[];
};
type HclMember = { readonly key: string; readonly keyPlace: Place; readonly value: HclValue };
export type HclValue =
  | HclString
  | (At & { readonly kind: 'number'; readonly value: number })
  | (At & { readonly kind: 'bool'; readonly value: boolean })
  | (At & { readonly kind: 'null' })
  | (At & { readonly kind: 'list'; readonly items: readonly HclValue[] })
  /** In the order written; keys differ. */
  | (At & { readonly kind: 'object'; readonly members: ReadonlyMap<string, HclMember> });

export type HclAttribute = At & { readonly name: string; readonly value: HclValue };
export type HclLabel = At & { readonly text: string };
export type HclBlock = At & { readonly type: string; readonly labels: readonly HclLabel[]; readonly body: HclBody };
export type HclBody = { readonly attributes: ReadonlyMap<string, HclAttribute>; readonly blocks: readonly HclBlock[] };

type Decoded = { readonly body: HclBody | null; readonly problems: readonly Problem[] };

/** Decodes one file's text. Never throws for anything the text holds; `body` is null when any problem was found. */
export async function decodeHcl(file: string, bytes: Uint8Array): Promise<Decoded> {
  const refuse = (message: string): Decoded => ({
    body: null,
    problems: [{ place: { file, line: 1, column: 1 }, path: '', severity: 'error', message }],
  });
  if (bytes.length > MAX_BYTES) return refuse(`the file is larger than 1 MB (${bytes.length} bytes); split it`);
  const raw = decodeUtf8(bytes);
  if (raw === null) return refuse('the file is not UTF-8 text; save it as UTF-8');
  const source = sourceText(file, raw);
  const scanned = scan(source);
  const problems: Problem[] = [];
  const reportAt = (place: Place, message: string): void => {
    if (problems.length <= MAX_FOUND) problems.push({ place, path: '', severity: 'error', message });
  };
  const report = (offset: number, message: string): void => reportAt(source.place(offset), message);
  for (const found of scanned.found) report(found.offset, found.message);
  if (problems.length > 0) return { body: null, problems };
  for (const found of checkGrammar(scanned)) report(found.offset, found.message);
  if (problems.length > 0) return { body: null, problems };
  const body = await decodeTree({ source, scanned, report, reportAt });
  return { body: problems.length > 0 ? null : body, problems };
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

type Context = {
  readonly source: SourceText;
  readonly scanned: Scan;
  readonly report: (offset: number, message: string) => void;
  readonly reportAt: (place: Place, message: string) => void;
};

/** Thrown where the tree is not what the grammar over tokens promised. */
class Disagreement extends Error {
  readonly offset: number;
  constructor(node: Node) {
    super(`unexpected ${node.type}`);
    this.offset = node.startIndex;
  }
}

async function decodeTree(context: Context): Promise<HclBody | null> {
  const tree = await parseTree(context.scanned.masked);
  try {
    const root = tree.rootNode;
    if (root.hasError) throw new Disagreement(firstError(root));
    const body = root.namedChildren.find((child) => child.type !== 'comment');
    if (body === undefined) return { attributes: new Map(), blocks: [] };
    if (body.type !== 'body') throw new Disagreement(body);
    return decodeBody(context, body);
  } catch (error) {
    if (!(error instanceof Disagreement)) throw error;
    context.report(
      error.offset,
      'the text cannot be read from here; write name = value or name { ... }, each on its own line',
    );
    return null;
  } finally {
    tree.delete();
  }
}

function firstError(root: Node): Node {
  let node = root;
  for (;;) {
    const next = node.children.find((child) => child.hasError || child.isMissing);
    if (next === undefined || node.isError) return node;
    node = next;
  }
}

function decodeBody(context: Context, node: Node): HclBody {
  const attributes = new Map<string, HclAttribute>();
  const blocks: HclBlock[] = [];
  for (const child of node.namedChildren) {
    if (child.type === 'attribute') decodeAttribute(context, child, attributes);
    else if (child.type === 'block') blocks.push(decodeBlock(context, child));
    else throw new Disagreement(child);
  }
  checkNames(context, attributes, blocks);
  return { attributes, blocks };
}

function decodeAttribute(context: Context, node: Node, attributes: Map<string, HclAttribute>): void {
  const [name, expression, more] = node.namedChildren;
  if (name?.type !== 'identifier' || expression === undefined || more !== undefined) throw new Disagreement(node);
  const earlier = attributes.get(name.text);
  const place = context.source.place(name.startIndex);
  const value = decodeExpression(context, expression);
  if (earlier === undefined) attributes.set(name.text, { name: name.text, place, value });
  else
    context.report(
      name.startIndex,
      `${name.text} is already set at ${lineColumn(earlier.place)}; take one of the two away`,
    );
}

const lineColumn = (place: Place): string => `${place.line}:${place.column}`;

function decodeBlock(context: Context, node: Node): HclBlock {
  const children = node.namedChildren;
  const [type] = children;
  const open = children.findIndex((child) => child.type === 'block_start');
  const end = children.at(-1);
  const start = children[open];
  if (type?.type !== 'identifier' || start === undefined || end?.type !== 'block_end') throw new Disagreement(node);
  if (context.scanned.partners.get(start.startIndex) !== end.startIndex) throw new Disagreement(end);
  const labels = children.slice(1, open).map((label) => decodeLabel(context, label));
  const inner = children.slice(open + 1, -1);
  if (inner.length > 1 || (inner[0] !== undefined && inner[0].type !== 'body')) throw new Disagreement(node);
  const body = inner[0] === undefined ? { attributes: new Map(), blocks: [] } : decodeBody(context, inner[0]);
  return { type: type.text, labels, body, place: context.source.place(type.startIndex) };
}

function decodeLabel(context: Context, node: Node): HclLabel {
  const place = context.source.place(node.startIndex);
  if (node.type === 'identifier') return { text: node.text, place };
  const text = literalOf(stringParts(context, node));
  if (text === null) context.report(node.startIndex, 'a label is plain text; take the ${...} away');
  // HashiCorp's parser composes characters in values and keys, not in labels; ours would differ from one of the two.
  else if (text !== text.normalize('NFC'))
    context.report(node.startIndex, 'a label holds decomposed characters (not NFC); write the composed ones');
  return { text: text ?? '', place };
}

/** An attribute and a block of one name, and one block type with and without labels, are ambiguous to other readers of HCL. */
function checkNames(
  context: Context,
  attributes: ReadonlyMap<string, HclAttribute>,
  blocks: readonly HclBlock[],
): void {
  const first = new Map<string, HclBlock>();
  for (const block of blocks) {
    const attribute = attributes.get(block.type);
    const earlier = first.get(block.type);
    if (attribute !== undefined)
      context.reportAt(
        block.place,
        `${block.type} is both an attribute (${lineColumn(attribute.place)}) and a block; keep one of the two`,
      );
    else if (earlier !== undefined && earlier.labels.length !== block.labels.length)
      context.reportAt(
        block.place,
        `${block.type} has ${count(block.labels.length)} here and ${count(earlier.labels.length)} at ${lineColumn(earlier.place)}; write all alike`,
      );
    if (earlier === undefined) first.set(block.type, block);
  }
}

const count = (labels: number): string => (labels === 1 ? '1 label' : `${labels} labels`);

function onlyChild(node: Node): Node {
  const [child, more] = node.namedChildren;
  if (child === undefined || more !== undefined) throw new Disagreement(node);
  return child;
}

function decodeExpression(context: Context, node: Node): HclValue {
  if (node.type !== 'expression') throw new Disagreement(node);
  const term = onlyChild(node);
  if (term.type === 'literal_value') return decodeLiteral(context, onlyChild(term));
  if (term.type === 'operation') return decodeNegative(context, term);
  if (term.type !== 'collection_value') throw new Disagreement(term);
  const collection = onlyChild(term);
  if (collection.type === 'tuple') return decodeTuple(context, collection);
  if (collection.type === 'object') return decodeObject(context, collection);
  throw new Disagreement(collection);
}

function decodeLiteral(context: Context, node: Node): HclValue {
  const place = context.source.place(node.startIndex);
  if (node.type === 'string_lit') return decodeString(context, node);
  if (node.type === 'numeric_lit') return { kind: 'number', place, value: Number(node.text) };
  if (node.type === 'bool_lit') return { kind: 'bool', place, value: node.text === 'true' };
  if (node.type === 'null_lit') return { kind: 'null', place };
  throw new Disagreement(node);
}

function decodeNegative(context: Context, node: Node): HclValue {
  const unary = onlyChild(node);
  if (unary.type !== 'unary_operation' || !unary.text.startsWith('-')) throw new Disagreement(unary);
  const literal = onlyChild(unary);
  if (literal.type !== 'literal_value' || onlyChild(literal).type !== 'numeric_lit') throw new Disagreement(literal);
  const value = Number(literal.text);
  return { kind: 'number', place: context.source.place(node.startIndex), value: value === 0 ? 0 : -value };
}

function stringParts(context: Context, node: Node): readonly StringPart[] {
  const parts = context.scanned.strings.get(node.startIndex);
  if (node.type !== 'string_lit' || parts === undefined) throw new Disagreement(node);
  return parts;
}

/** Strings are composed (NFC), as HashiCorp's parser composes them: two spellings of one character are one value. */
function decodeString(context: Context, node: Node): HclString {
  const parts = stringParts(context, node).map((part) => (typeof part === 'string' ? part.normalize('NFC') : part));
  const place = context.source.place(node.startIndex);
  const partPlaces = parts.map((part) => (typeof part === 'string' ? place : context.source.place(part.offset)));
  return { kind: 'string', place, parts, partPlaces };
}

const BRACKETS = new Set(['tuple_start', 'tuple_end', 'object_start', 'object_end']);

function decodeTuple(context: Context, node: Node): HclValue {
  const items = node.namedChildren.filter((child) => !BRACKETS.has(child.type));
  const place = context.source.place(node.startIndex);
  return { kind: 'list', place, items: items.map((item) => decodeExpression(context, item)) };
}

function decodeObject(context: Context, node: Node): HclValue {
  const members = new Map<string, HclMember>();
  for (const child of node.namedChildren) {
    if (BRACKETS.has(child.type)) continue;
    const [keyNode, valueNode, more] = child.namedChildren;
    if (child.type !== 'object_elem' || keyNode === undefined || valueNode === undefined || more !== undefined)
      throw new Disagreement(child);
    const key = decodeKey(context, keyNode);
    const value = decodeExpression(context, valueNode);
    const earlier = members.get(key);
    if (earlier === undefined) members.set(key, { key, keyPlace: context.source.place(keyNode.startIndex), value });
    else
      context.report(
        keyNode.startIndex,
        `${JSON.stringify(key)} is already set at ${lineColumn(earlier.keyPlace)}; take one of the two away`,
      );
  }
  return { kind: 'object', place: context.source.place(node.startIndex), members };
}

function decodeKey(context: Context, node: Node): string {
  if (node.type !== 'expression') throw new Disagreement(node);
  const term = onlyChild(node);
  if (term.type === 'variable_expr') return term.text;
  if (term.type !== 'literal_value') throw new Disagreement(term);
  const text = literalOf(stringParts(context, onlyChild(term)));
  if (text === null) context.report(node.startIndex, 'a key is plain text; take the ${...} away');
  return (text ?? '').normalize('NFC');
}
