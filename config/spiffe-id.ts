/** A SPIFFE id that exists only if valid (SPIFFE-ID specification, section 2, as of July 2026). */
export type SpiffeId = {
  /** The whole id, `spiffe://<trust domain><path>`. */
  readonly text: string;
  readonly trustDomain: string;
  /** `/a/b`, never empty and without trailing slash: ids of trust domains alone identify no workload. */
  readonly path: string;
};

export class SpiffeIdError extends Error {
  override readonly name = 'SpiffeIdError';
}

const MAX_BYTES = 2048;
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const SEGMENT = /^[A-Za-z0-9._-]+$/;

/** @throws SpiffeIdError saying what is wrong and what to write. */
export function parseSpiffeId(text: string): SpiffeId {
  const refuse = (why: string): never => {
    throw new SpiffeIdError(
      `${JSON.stringify(text.slice(0, 200))} is not a SPIFFE id: ${why}; write spiffe://trust-domain/path`,
    );
  };
  if (Buffer.byteLength(text) > MAX_BYTES) return refuse(`longer than ${MAX_BYTES} bytes`);
  if (!text.startsWith('spiffe://')) return refuse('it does not begin with spiffe://');
  const rest = text.slice('spiffe://'.length);
  const slash = rest.indexOf('/');
  const trustDomain = slash === -1 ? rest : rest.slice(0, slash);
  const path = slash === -1 ? '' : rest.slice(slash);
  if (!TRUST_DOMAIN.test(trustDomain)) return refuse('the trust domain must be 1-255 of a-z 0-9 . _ -');
  if (path === '') return refuse('it has no path');
  for (const segment of path.slice(1).split('/')) {
    if (segment === '') return refuse('a path segment is empty');
    if (segment === '.' || segment === '..') return refuse('a path segment is . or ..');
    if (!SEGMENT.test(segment)) return refuse('path segments may hold only A-Z a-z 0-9 . _ -');
  }
  return { text, trustDomain, path };
}
