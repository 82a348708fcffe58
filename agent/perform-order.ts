import type { ActionOrder, GrantClaims } from '../workflows/contract.ts';
import { type Addressee, type OrderVerifier, unprovenClaims } from './grants.ts';
import type { Performed } from './order-job.ts';
import type { Performer } from './perform.ts';
import { RefusalError } from './refusal.ts';

export type AnsweredOrder = {
  /** What the grant says; unproven when it did not check, null when it says nothing readable. */
  readonly claims: GrantClaims | null;
  readonly performed: Performed;
};

/** The grant's text, whatever came in its place. */
export const grantOf = (order: ActionOrder | null | undefined): string =>
  typeof order?.grant === 'string' ? order.grant : '';

/**
 * Checks an order's grant and does what it says. One that does not check is refused, unless it was once begun.
 * @param clock gives the later of the host's clock and the server's
 */
export async function performOrder(
  { verifier, performer }: { readonly verifier: OrderVerifier; readonly performer: Performer },
  order: ActionOrder,
  to: Addressee,
  clock: Promise<() => number>,
  end: AbortSignal,
): Promise<AnsweredOrder> {
  const grant = grantOf(order);
  let claims = unprovenClaims(grant);
  try {
    const opened = await verifier.openGrant(order, to);
    claims = opened;
    const now = await clock;
    const check = (): void => verifier.checkGrant(opened, order, to, now());
    return { claims, performed: await performer.perform({ claims: opened, order, now, check }, end) };
  } catch (error) {
    if (!(error instanceof RefusalError)) throw error;
    const recalled = claims === null ? null : await performer.recall(claims, grant, end);
    const { code, message } = error;
    const refused: Performed = {
      result: { status: 'refused', code, message },
      from: null,
      to: Date.now(),
      repeated: false,
    };
    return { claims, performed: recalled ?? refused };
  }
}
