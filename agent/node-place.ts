import type { SpiffeId } from '../config/spiffe-id.ts';
import { agentPlace, type NodePlace } from '../workflows/contract.ts';

/**
 * The place of this host in the fleet, from its own SVID and from nowhere else: `/agent/<datacenter>/<type>/<node>`.
 * @throws Error when the id is not an agent's.
 */
export function placeOf(id: SpiffeId): NodePlace {
  const place = agentPlace(id.path);
  if (place !== null) return place;
  throw new Error(
    `the certificate names ${id.text}, which is not an agent's id; ` +
      `an agent needs one for spiffe://${id.trustDomain}/agent/<datacenter>/<node type>/<node>`,
  );
}
