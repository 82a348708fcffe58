/** What several schemas of the API are made of. */
import { z } from '@hono/zod-openapi';
import { didYouMean } from '../../config/did-you-mean.ts';
import type { ApiReason } from '../../workflows/api.ts';

/** An object that holds the keys named and no other; a key it does not know is answered with the one that was perhaps meant. */
export const strict = <T extends z.core.$ZodLooseShape>(shape: T) =>
  z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys
            .map((key) => `unknown key ${JSON.stringify(key.slice(0, 60))}${didYouMean(key, Object.keys(shape))}`)
            .join(', ')
        : undefined,
  });

export const name = (what: string, example: string) =>
  z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, `not a ${what}; write 1-128 of A-Z a-z 0-9 . _ -, such as ${example}`)
    .openapi({ example });
export const time = z.iso
  .datetime({ offset: true, error: 'not a time; write RFC 3339, such as 2026-05-01T12:00:00Z' })
  .openapi({ example: '2026-05-01T12:00:00Z' });
export const labels = z
  .record(z.string().min(1).max(200), z.string().max(4096))
  .refine((all) => Object.keys(all).length <= 100, 'more than 100 labels');
export const text = z.string().max(2000);

export const reason = z.object({
  constraint: z.string(),
  scope: z.string(),
  name: z.string().nullable(),
  limit: z.number(),
  current: z.number(),
  retry_after_s: z.number().nullable(),
}) satisfies z.ZodType<ApiReason>;
