/** A coordinator killed between the gate's decision and the start: nothing runs twice, nothing is lost, no limit stays taken. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { CoordinatorClient } from '../identity/coordinator-client.ts';
import type { ApiRequest } from '../workflows/api.ts';
import { admitted, allFree, drillRequest, drillStep, startDrillSite, type DrillSite } from './support/drill-site.ts';
import { ended } from './support/paths-site.ts';
import { eventually } from './support/processes.ts';

const ONCE_AN_HOUR = `constraint {
  kind   = "maxExecution"
  value  = "1"
  period = "1h"
}
`;

describe('a coordinator killed with SIGKILL', () => {
  const stack = new AsyncDisposableStack();
  let drill: DrillSite;
  /** Goes to c1 or c2, whichever answers. */
  let client: CoordinatorClient;

  before(async () => {
    const workflows = {
      seen: drillStep('mark'),
      limited: ONCE_AN_HOUR + drillStep('mark'),
      'limited-too': ONCE_AN_HOUR + drillStep('mark'),
    };
    drill = stack.use(await startDrillSite({ nodes: [{ name: 'web-1', type: 'web' }], workflows }));
    await drill.begin(['web-1'], ['c1', 'c2']);
    const { address } = await drill.site.coordinatorFile('c2');
    client = await drill.client(drill.site.address, address);
  });
  after(() => stack.disposeAsync());

  const started = async (workflow: string): Promise<string[]> =>
    (await client.listExecutions({ workflow })).map((execution) => execution.id);
  /** Asks a coordinator that dies after the gate's answer. */
  const askDoomed = async (asked: ApiRequest): Promise<void> => {
    const doomed = await drill.startDoomed('doomed', 'beforeStart');
    const only = await drill.client(doomed.address);
    await assert.rejects(only.request(asked), /no coordinator answered/);
    assert.equal((await doomed.process.ended).signal, 'SIGKILL');
    assert.deepEqual(await started(asked.workflow), [], 'it died before the start');
  };
  it('between admission and start: whoever asks next with the same request_id starts it, once', async () => {
    const asked = drillRequest('limited', 'asked-again');
    await askDoomed(asked);
    const answers = await Promise.all([client.request(asked), client.request(asked), client.request(asked)]);
    const ids = new Set(answers.map((one) => (one.decision === 'duplicate' ? one.execution : one.decision)));
    assert.equal(ids.size, 1, JSON.stringify(answers));
    const [id = ''] = ids;
    assert.equal((await ended(client, id)).outcome, 'healed');
    assert.deepEqual(await drill.marks('asked-again'), ['done']);
    await eventually(async () => (await started('limited')).length > 0, { what: 'the execution in the record' });
    assert.deepEqual(await started('limited'), [id]);
  });

  it('between admission and start: another who saw the same fault starts it, once', async () => {
    const began_at = new Date().toISOString();
    const seenBy = (observer: string): ApiRequest => ({
      ...drillRequest('seen', 'seen-twice'),
      identity: { source: 'test/seen', labels: { node: 'web-1' }, observer, began_at, gap_s: 60 },
    });
    await askDoomed(seenBy('first'));
    const decision = await client.request(seenBy('second'));
    assert.ok(decision.decision === 'duplicate', JSON.stringify(decision));
    assert.equal((await ended(client, decision.execution)).outcome, 'healed');
    assert.deepEqual(await drill.marks('seen-twice'), ['done']);
  });

  it('between admission and start, and nobody asks: its lease frees itself, and the request may be made anew', async () => {
    const asked = drillRequest('limited-too', 'nobody-asked');
    await askDoomed(asked);
    const other = await client.request(drillRequest('limited-too', 'other'));
    assert.equal(other.decision, 'refused', 'its limits are held until then');
    await allFree(client);
    const id = await admitted(client, asked);
    assert.equal((await ended(client, id)).outcome, 'healed');
    assert.deepEqual(await drill.marks('nobody-asked'), ['done']);
    await eventually(async () => (await started('limited-too')).length > 0, { what: 'the execution in the record' });
    assert.deepEqual(await started('limited-too'), [id]);
  });
});
