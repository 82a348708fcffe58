/** Our decoder beside HashiCorp's own parser, in two builds: what we accept they accept, with the same value. */
import assert from 'node:assert/strict';
import { parse as hcl2json } from '@cdktn/hcl2json';
import hcl2Parser from 'hcl2-parser';
import { test } from 'node:test';
import { decodeHcl, type HclBlock, type HclBody, type HclValue } from './decode.ts';
import { generatedDocument, seededRandom } from './generated-documents.ts';
import type { StringPart } from './templates.ts';

const DOCUMENTS = 12_000;
const SEED = 20_261_121;

/** How a text looks in each converter's JSON: hcl2json keeps the escapes of templates, hcl2-parser drops them. */
type Dialect = { readonly literal: (text: string) => string };
const HCL2JSON: Dialect = { literal: (text) => text.replaceAll(/[$%]\{/g, (sign) => sign.charAt(0) + sign) };
const HCL2_PARSER: Dialect = { literal: (text) => text };

const textIn = (parts: readonly StringPart[], dialect: Dialect, document: string): string =>
  parts.map((part) => (typeof part === 'string' ? dialect.literal(part) : sourceOf(part.offset, document))).join('');

/** A reference as it was written, white space within its braces dropped as the converters do. */
const sourceOf = (offset: number, document: string): string =>
  document.slice(offset, document.indexOf('}', offset) + 1).replaceAll(/[ \t]/g, '');

type Json = null | string | number | boolean | Json[] | { [key: string]: Json };

function jsonOf(value: HclValue, dialect: Dialect, document: string): Json {
  if (value.kind === 'null') return null;
  if (value.kind === 'list') return value.items.map((item) => jsonOf(item, dialect, document));
  if (value.kind === 'string') return textIn(value.parts, dialect, document);
  if (value.kind !== 'object') return value.value;
  const members = Object.create(null) as { [key: string]: Json };
  for (const [key, member] of value.members) members[dialect.literal(key)] = jsonOf(member.value, dialect, document);
  return members;
}

function bodyJson(body: HclBody, dialect: Dialect, document: string): { [key: string]: Json } {
  const result = Object.create(null) as { [key: string]: Json };
  for (const [name, attribute] of body.attributes) result[name] = jsonOf(attribute.value, dialect, document);
  for (const block of body.blocks) placeBlock(result, block, bodyJson(block.body, dialect, document));
  return result;
}

/** Labels nest; blocks of equal type and labels become a list. */
function placeBlock(result: { [key: string]: Json }, block: HclBlock, inner: Json): void {
  let at = result;
  const keys = [block.type, ...block.labels.map((label) => label.text)];
  const last = keys.pop() ?? '';
  for (const key of keys) at = (at[key] ??= Object.create(null) as { [key: string]: Json }) as { [key: string]: Json };
  const list = (at[last] ??= []) as Json[];
  list.push(inner);
}

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const record = value as Record<string, unknown>;
  return Object.keys(record)
    .sort()
    .map((key) => [key, sorted(record[key])]);
};
const canonical = (value: unknown): string => JSON.stringify(sorted(value));

type Verdict = { readonly accepted: boolean; readonly difference: string | null };

async function compare(document: string): Promise<Verdict> {
  const { body } = await decodeHcl('generated.hcl', Buffer.from(document));
  if (body === null) return { accepted: false, difference: null };
  const text = document.replace(/^\ufeff/, '');
  const show = (why: string): Verdict => ({ accepted: true, difference: `${why}\n${JSON.stringify(document)}` });
  const theirs = await hcl2json('generated.hcl', document).then(canonical, (error: unknown) => ({
    error: String(error),
  }));
  if (typeof theirs !== 'string') return show(`hcl2json refuses: ${theirs.error}`);
  const ours = canonical(bodyJson(body, HCL2JSON, text));
  if (ours !== theirs) return show(`hcl2json reads\n${theirs}\nwe read\n${ours}`);
  const [other, failure] = hcl2Parser.parseToObject(document) as [unknown, unknown];
  if (failure !== null) return show(`hcl2-parser refuses: ${JSON.stringify(failure)}`);
  const again = canonical(bodyJson(body, HCL2_PARSER, text));
  return canonical(other) === again
    ? { accepted: true, difference: null }
    : show(`hcl2-parser reads\n${canonical(other)}\nwe read\n${again}`);
}

test(`never accepts what HashiCorp's parser refuses, and never reads another value, over ${DOCUMENTS} generated documents`, async (context) => {
  const random = seededRandom(SEED);
  const differences: string[] = [];
  let accepted = 0;
  let acceptedWounded = 0;
  for (let index = 0; index < DOCUMENTS; index += 1) {
    const verdict = await compare(generatedDocument(random, index));
    if (verdict.accepted) accepted += 1;
    if (verdict.accepted && index % 2 === 1) acceptedWounded += 1;
    if (verdict.difference !== null) differences.push(`document ${index}: ${verdict.difference}`);
  }
  context.diagnostic(`${accepted} accepted, ${acceptedWounded} of them wounded, ${DOCUMENTS - accepted} refused`);
  assert.ok(
    accepted > DOCUMENTS / 4,
    `only ${accepted} of ${DOCUMENTS} were accepted: the comparison would say little`,
  );
  assert.equal(differences.length, 0, differences.slice(0, 10).join('\n\n'));
});
