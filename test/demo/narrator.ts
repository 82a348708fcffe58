/** What the demo says, with the time since it began. */
import { styleText } from 'node:util';

export type Narrator = {
  readonly chapter: (title: string) => void;
  /** `at`: when it happened, if that was not just now. */
  readonly event: (what: string, text: string, at?: number) => void;
  readonly note: (text: string) => void;
  /** The clock of the timeline begins anew. */
  readonly zero: () => void;
};

type Style = Parameters<typeof styleText>[0];

export function narrator(out: NodeJS.WriteStream = process.stdout): Narrator {
  let zero = Date.now();
  const colour = out.isTTY && process.env['NO_COLOR'] === undefined;
  const paint = (style: Style, text: string): string => (colour ? styleText(style, text) : text);
  const say = (line: string): void => void out.write(`${line}\n`);
  return {
    chapter: (title) => say(`\n${paint('bold', title)}`),
    event: (what, text, at = Date.now()) => {
      const seconds = ((at - zero) / 1000).toFixed(2).padStart(7);
      say(`  ${paint('dim', `${seconds} s`)}  ${paint('cyan', what.padEnd(14))} ${text}`);
    },
    note: (text) => say(`  ${paint('dim', text)}`),
    zero: () => {
      zero = Date.now();
    },
  };
}
