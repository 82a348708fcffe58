/** The syntax tree: web-tree-sitter with the HCL grammar, two WebAssembly files found beside the program or among its packages. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Language, Parser, type Tree } from 'web-tree-sitter';

const WASM = {
  'web-tree-sitter.wasm': 'web-tree-sitter/web-tree-sitter.wasm',
  'tree-sitter-hcl.wasm': '@tree-sitter-grammars/tree-sitter-hcl/tree-sitter-hcl.wasm',
} as const;

/**
 * Where a WebAssembly file is: beside the running file in a bundle, else in its package.
 * @throws Error when it is in neither place
 */
export function locateWasm(name: keyof typeof WASM): string {
  const beside = fileURLToPath(new URL(`./${name}`, import.meta.url));
  return existsSync(beside) ? beside : fileURLToPath(import.meta.resolve(WASM[name]));
}

let ready: Promise<Parser> | null = null;

async function makeParser(): Promise<Parser> {
  await Parser.init({ wasmBinary: await readFile(locateWasm('web-tree-sitter.wasm')) });
  const language = await Language.load(await readFile(locateWasm('tree-sitter-hcl.wasm')));
  return new Parser().setLanguage(language);
}

/**
 * The tree of a masked text. The caller deletes it: its memory is not the garbage collector's.
 * @throws Error when the grammar's files cannot be loaded
 */
export async function parseTree(masked: string): Promise<Tree> {
  ready ??= makeParser();
  const parser = await ready;
  const tree = parser.parse(masked);
  if (tree === null) throw new Error('the HCL grammar gave no tree');
  return tree;
}
