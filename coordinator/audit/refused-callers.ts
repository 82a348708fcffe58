/** Refused callers, each a line, but no more in a second than a disk can bear: whoever is refused decides how often. */
import type { AuditFields } from './chain.ts';

const PER_SECOND = 50;

/** Who was refused at the door: by TLS, by the certificate's rules, or by rules of access. */
export type RefusedCaller = {
  readonly caller: string;
  readonly remote?: string | undefined;
  readonly method?: string | undefined;
  readonly path?: string | undefined;
  readonly status?: number | undefined;
  readonly code?: string | undefined;
  readonly reason: string;
};

export function limitRefusals(write: (fields: AuditFields) => void): {
  readonly refused: (caller: RefusedCaller) => void;
  readonly close: () => void;
} {
  let written = 0;
  let dropped = 0;
  let timer: NodeJS.Timeout | null = null;
  const end = (): void => {
    timer = null;
    written = 0;
    if (dropped > 0) write({ kind: 'callers_refused', callers: dropped });
    dropped = 0;
  };
  return {
    refused: (caller) => {
      timer ??= setTimeout(end, 1_000).unref();
      if (written >= PER_SECOND) dropped += 1;
      else write({ kind: 'caller_refused', ...caller });
      written += 1;
    },
    close: () => {
      if (timer !== null) clearTimeout(timer);
      end();
    },
  };
}
