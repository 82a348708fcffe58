import type { SpiffeId } from '../config/spiffe-id.ts';
import type { NodePlace } from '../workflows/contract.ts';

/**
 * The place of this host in the fleet, from its own SVID and from nowhere else: `/agent/<datacenter>/<type>/<node>`.
 * @throws Error when the id is not an agent's.
 */
export function placeOf(id: SpiffeId): NodePlace {
  const [empty, role, datacenter, nodeType, node, ...rest] = id.path.split('/');
  if (empty !== '' || role !== 'agent' || !datacenter || !nodeType || !node || rest.length > 0) {
    throw new Error(
      `the certificate names ${id.text}, which is not an agent's id; ` +
        `an agent needs one for spiffe://${id.trustDomain}/agent/<datacenter>/<node type>/<node>`,
    );
  }
  return { datacenter, nodeType, node };
}
