/** What a whole fleet leaves on record: decisions with their limits, the story of a request, the audit over a crash of the coordinator. */
import assert from 'node:assert/strict';
import { readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { verifyAudit } from '../coordinator/audit/verify.ts';
import type { CoordinatorClient } from '../identity/coordinator-client.ts';
import { admitted, drillRequest, drillStep, getPublic, startDrillSite, type DrillSite } from './support/drill-site.ts';
import { ended } from './support/paths-site.ts';
import { eventually, runProcess, temporaryDirectory } from './support/processes.ts';

const LIMITED = `${drillStep('mark')}
constraint {
  kind   = "maxExecution"
  value  = "1"
  period = "1h"
}
`;

describe('the record of a fleet', () => {
  const stack = new AsyncDisposableStack();
  let drill: DrillSite;
  let client: CoordinatorClient;
  let file: string;

  before(async () => {
    file = path.join(stack.use(await temporaryDirectory()).path, 'audit.jsonl');
    drill = stack.use(
      await startDrillSite({
        nodes: [{ name: 'web-1', type: 'web' }],
        workflows: { gated: drillStep('gated'), limited: LIMITED },
        coordinator: `audit {\n  file = ${JSON.stringify(file)}\n}\n`,
      }),
    );
    await drill.begin(['web-1'], ['c1']);
    client = await drill.client(drill.site.address);
  });
  after(() => stack.disposeAsync());

  const audited = async (): Promise<Record<string, unknown>[]> =>
    (await readFile(file, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line): Record<string, unknown> => JSON.parse(line));
  const auditedOf = async (kind: string, more: Record<string, unknown> = {}): Promise<Record<string, unknown>> =>
    eventually(
      async () =>
        (await audited()).find(
          (line) => line['kind'] === kind && Object.entries(more).every(([key, value]) => line[key] === value),
        ),
      { what: `an audit line ${kind} ${JSON.stringify(more)}` },
    );

  it('tells why one was admitted and the next refused, by the API, by the command and in the audit', async () => {
    const first = drillRequest('limited', 'one');
    const execution = await admitted(client, first);
    assert.equal((await ended(client, execution)).outcome, 'healed');
    const second = drillRequest('limited', 'two');
    assert.equal((await client.request(second)).decision, 'refused');
    const { decisions, reaches_back_to: reaches } = await client.decisions({ workflow: 'limited' });
    assert.deepEqual(
      decisions.map(({ decision, request, caller, limits }) => [
        decision,
        request,
        caller,
        limits[0]?.current,
        limits[0]?.limit,
      ]),
      [
        ['refused', second.request_id, 'spiffe://demo.fettle/person/oncall', 1, 1],
        ['admitted', first.request_id, 'spiffe://demo.fettle/person/oncall', 0, 1],
      ],
    );
    assert.equal(reaches, null);
    const [story] = (await client.why({ execution })).stories;
    const events = story?.lines.map(({ event }) => event) ?? [];
    assert.deepEqual(events, ['asked', 'evidence', 'admitted', 'permitted', 'released', 'healed']);
    const [refused] = (await client.why({ request: second.request_id ?? '' })).stories;
    assert.deepEqual(
      refused?.in_the_way.map(({ constraint, current }) => [constraint, current]),
      [['maxExecution', 1]],
    );
    const env = await drill.site.environment('oncall');
    const told = await runProcess(drill.site.fettle('why', execution), { env });
    assert.match(told.stdout, /Admitted as limited:web-1:.*maxExecution per target: 0 of 1/);
    const line = await auditedOf('decision', { request: second.request_id });
    assert.deepEqual([line['decision'], line['target']], ['refused', 'web-1']);
    assert.equal((await auditedOf('decision', { request: first.request_id }))['execution'], execution);
  });

  it('audits who cancels, who pauses and who was refused at the door', async () => {
    const execution = await admitted(client, drillRequest('gated', 'cancelled'));
    await client.cancelExecution(execution, 'wrong host');
    const { id } = await client.pause({ scope: { node: 'web-1' }, reason: 'hands off' });
    await client.resume({ id, reason: 'done' });
    assert.equal((await getPublic(drill.site.address, '/v1/nodes')).status, 403);
    assert.equal((await auditedOf('cancel', { execution }))['reason'], 'wrong host');
    assert.equal((await auditedOf('pause'))['by'], 'spiffe://demo.fettle/person/oncall');
    assert.equal((await auditedOf('resume'))['id'], id);
    const refused = await auditedOf('caller_refused', { path: '/v1/nodes' });
    assert.deepEqual([refused['caller'], refused['status'], refused['remote']], ['anonymous', 403, '127.0.0.1']);
    await ended(client, execution);
  });

  it('keeps the chain whole when the coordinator is killed, and when its file is moved away', async () => {
    await drill.roles.get('c1')?.kill();
    await drill.startCoordinator('c1');
    await eventually(() => client.request(drillRequest('limited', 'three')), { what: 'an answer', timeoutMs: 60_000 });
    await rename(file, `${file}.1`);
    const last = drillRequest('limited', 'four');
    await client.request(last);
    await auditedOf('decision', { request: last.request_id });
    const verdict = await verifyAudit([file, `${file}.1`]);
    assert.equal(verdict.whole, true, JSON.stringify(verdict.broken));
    assert.ok(verdict.markers.some(({ marker }) => marker === 'file_moved'));
    const told = await runProcess(drill.site.fettle('audit', 'verify', file, `${file}.1`), {});
    assert.match(told.stdout, /whole; ends at --head/);
  });
});
