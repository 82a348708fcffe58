/** A number of things, or a share of them. */
import type { ValueType } from './schema.ts';
import { literal, wrong } from './value-reading.ts';
import { integer } from './value-types.ts';

export type Count = { readonly count: number; readonly percent: boolean };

/** A whole number, with or without quotes, or a percentage in quotes. */
export const countOrPercent = (max: number): ValueType<Count> => ({
  name: `whole number, string, or percentage such as \`"5%"\`, 1-${max}`,
  read: (value, reader) => {
    const given = value.kind === 'string' ? literal(value, reader) : null;
    if (given === undefined) return undefined;
    const [, digits, sign] = /^([0-9]{1,15})(%?)$/.exec(given ?? '') ?? [];
    if (given !== null && digits === undefined) {
      const shown = JSON.stringify(given.slice(0, 60));
      return wrong(value, reader, `${shown} is no whole number; write e.g. 1, "1" or "5%"`);
    }
    const percent = sign === '%';
    const number =
      digits === undefined ? value : ({ kind: 'number', place: value.place, value: Number(digits) } as const);
    const count = integer(1, percent ? 100 : max).read(number, reader);
    return count === undefined ? undefined : { count, percent };
  },
});
