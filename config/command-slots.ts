/** `{NAME}` in a command: every one stands for something, and where it may stand. */
import type { CommandSection } from './commands.ts';
import { didYouMean } from './did-you-mean.ts';
import type { HclValue } from './hcl/decode.ts';
import type { Place } from './problem.ts';
import type { Problems } from './problems.ts';

/** Any other brace is an ordinary character. */
const SLOT = /\{([A-Za-z_][A-Za-z0-9_-]*)\}/g;

type Text = { readonly text: string; readonly place: Place; readonly path: string; readonly secretsToo: boolean };

export function checkSlots(section: CommandSection, problems: Problems): void {
  const inputs = section.blocks.input.map(({ labels }) => labels[0] ?? '');
  const secrets = Object.keys(section.readable.secrets ?? {});
  const used = new Set<string>();
  const texts = [...argvTexts(section, problems), ...httpTexts(section, problems)];
  for (const { text, place, path, secretsToo } of texts) {
    if (text.includes('\0')) problems.error(place, path, 'holds the character NUL; take it away');
    for (const [, slot = ''] of text.matchAll(SLOT)) {
      used.add(slot);
      if (inputs.includes(slot) || (secretsToo && secrets.includes(slot))) continue;
      problems.error(place, path, `{${slot}} is no input of this command${didYouMean(slot, inputs)}`);
    }
  }
  if (texts.length === 0 && section.readable.argv === undefined) return;
  for (const [index, input] of section.blocks.input.entries()) {
    const name = inputs[index] ?? '';
    if (secrets.includes(name))
      problems.error(input.place, input.path, 'is the name of a secret of this command too; give it another');
    if (!used.has(name))
      problems.warn(
        input.place,
        input.path,
        `is used nowhere in ${section.blocks.http.length > 0 ? 'http' : 'argv'}; write {${name}} there, or take the input away`,
      );
  }
}

/** The program itself has no slots. */
function argvTexts(section: CommandSection, problems: Problems): Text[] {
  const written = section.given.get('argv');
  const { argv } = section.readable;
  if (argv === undefined || argv === null || written?.kind !== 'list') return [];
  const texts = argv.map((text, index) => ({
    text,
    place: written.items[index]?.place ?? written.place,
    path: `${section.path}.argv[${index}]`,
    secretsToo: false,
  }));
  const [program, ...rest] = texts;
  if (program !== undefined && !/^\/(?!.*(?:^|\/)\.\.?(?:\/|$))[^{}\0]+$/.test(program.text))
    problems.error(
      program.place,
      program.path,
      `${JSON.stringify(program.text)} is not an absolute path; write the program's whole path, without slots`,
    );
  return rest;
}

function httpTexts(section: CommandSection, problems: Problems): Text[] {
  const [http] = section.blocks.http;
  if (http === undefined) return [];
  const { url, headers = {}, body } = http.readable;
  const text = (name: string, value: string, secretsToo: boolean): Text => ({
    text: value,
    place: placeOf(http.given, name) ?? http.place,
    path: `${http.path}.${name}`,
    secretsToo,
  });
  const texts: Text[] = [];
  if (url !== undefined) {
    const at = text('url', url, false);
    const fault = urlFault(url);
    if (fault !== null) problems.error(at.place, at.path, fault);
    texts.push(at);
  }
  for (const [name, value] of Object.entries(headers)) {
    const at = text(`headers.${name}`, value, true);
    if (/[\r\n]/.test(value)) problems.error(at.place, at.path, 'holds a line break; take it away');
    texts.push(at);
  }
  if (typeof body === 'string') texts.push(text('body', body, true));
  return texts;
}

function placeOf(given: ReadonlyMap<string, HclValue>, name: string): Place | undefined {
  const [attribute = '', member] = name.split('.');
  const value = given.get(attribute);
  if (member === undefined || value?.kind !== 'object') return value?.place;
  return value.members.get(member)?.value.place ?? value.place;
}

/** Scheme, host and port are fixed: whoever gives inputs chooses nothing about who is asked. */
function urlFault(url: string): string | null {
  const write = 'write http:// or https://, a host, and maybe a port, path and query';
  const [origin = ''] = /^https?:\/\/[^/?#\\\s]+/.exec(url) ?? [];
  if (origin === '' || !URL.canParse(url.replaceAll(SLOT, 'x')) || /[\s\\#]/.test(url)) return `is no URL; ${write}`;
  if (origin.includes('@')) return 'holds credentials; write a header with a variable of secrets instead';
  if (origin.search(SLOT) !== -1) return 'has a slot in its host; an input may stand behind the host only';
  return null;
}
