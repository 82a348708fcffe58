import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseSpiffeId } from '../config/spiffe-id.ts';
import { agentSpiffePath } from '../workflows/contract.ts';
import { placeOf } from './node-place.ts';

it('takes the place of a host from its SVID, and from no other kind of id', () => {
  const place = { datacenter: 'dc1', nodeType: 'web', node: 'web-1' };
  assert.deepEqual(placeOf(parseSpiffeId(`spiffe://example.com${agentSpiffePath(place)}`)), place);
  for (const path of [
    '/agent',
    '/agent/dc1/web',
    '/agent/dc1/web/web-1/more',
    '/coordinator/dc1/web/web-1',
    '/x/agent/dc1/web/web-1',
  ]) {
    assert.throws(() => placeOf(parseSpiffeId(`spiffe://example.com${path}`)), /not an agent's id/);
  }
});
