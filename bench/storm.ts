/** A fleet-wide storm: the alerts of a thousand nodes at once, through two coordinators over mTLS, against a health floor of 5 %. */
import { randomUUID } from 'node:crypto';
import { ApiError, type CoordinatorClient } from '../identity/coordinator-client.ts';
import { countOverAdmissions } from '../test/support/over-admissions.ts';
import { eventually } from '../test/support/processes.ts';
import type { ApiDecision } from '../workflows/api.ts';
import { gateWorkflowId } from '../workflows/contract.ts';
import type { Bench, Table } from './bench-run.ts';
import { hundredths, percentiles } from './percentiles.ts';
import { cpuBetween, cpuOf } from './process-cost.ts';
import { FLOOR_PERCENT, NODES, startStormFleet, type StormFleet } from './storm-fleet.ts';

const WORKFLOW = 'storm-fix';
const LIMIT = Math.floor((NODES * FLOOR_PERCENT) / 100);

export const stormBench: Bench = async ({ say }) => {
  await using stack = new AsyncDisposableStack();
  say(`starting Temporal, two coordinators, and a fleet of ${NODES} nodes`);
  const fleet = stack.use(await startStormFleet());
  await floorIsKnown(fleet);
  say(`${NODES} alerts at once`);
  const before = await cpuOf(fleet.groups);
  const began = performance.now();
  const took: number[] = [];
  let repeated = 0;
  const decisions = await Promise.all(
    fleet.nodes.map(async (node, index) => {
      const client = fleet.clients[index % fleet.clients.length];
      if (client === undefined) throw new Error('no client');
      const decision = await alert(client, node, () => (repeated += 1));
      took.push(performance.now() - began);
      return decision.decision;
    }),
  );
  const decidedMs = Math.round(performance.now() - began);
  const cpu = cpuBetween(before, await cpuOf(fleet.groups));
  say("counting from the gate's history");
  const limits = { perNode: 1, global: LIMIT };
  const counted = await countOverAdmissions(fleet.control, gateWorkflowId('main'), WORKFLOW, limits);
  const of = (kind: string): number => decisions.filter((decision) => decision === kind).length;
  const times = percentiles(took);
  const json = {
    requests: decisions.length,
    admitted: of('admitted') + of('duplicate'),
    refused: of('refused'),
    limit: LIMIT,
    over_admissions: counted.overAdmissions,
    decided_ms: decidedMs,
    repeated,
    decided_p50_ms: times.p50,
    decided_p99_ms: times.p99,
    admitted_by_record: counted.admitted,
    held_at_most: counted.most,
  };
  const table: Table = {
    title: `${NODES} nodes' alerts at once against maxUnavailable ${FLOOR_PERCENT} %`,
    header: ['', ''],
    rows: [
      ['admitted', json.admitted],
      ['refused', json.refused],
      ['more than the floor allows', json.over_admissions],
      ['all decided after, ms', decidedMs],
      ['half decided after, ms', times.p50],
      ...Object.entries(cpu).map(([name, seconds]) => [`CPU of ${name}, ms`, hundredths(seconds * 1000)]),
    ],
  };
  return { name: 'storm', json, tables: [table], notes: [] };
};

/** As a trigger daemon asks for a fault that it has seen: what could not be decided is asked again with the same ids. */
async function alert(client: CoordinatorClient, node: string, onRepeat: () => void): Promise<ApiDecision> {
  const began_at = new Date().toISOString();
  const request = {
    workflow: WORKFLOW,
    target: { node },
    identity: { source: 'bench/storm', labels: { node, alert: 'Down' }, observer: 't1', began_at, gap_s: 600 },
    request_id: randomUUID(),
    issued_at: began_at,
  };
  for (;;) {
    try {
      return await client.request(request);
    } catch (error) {
      if (error instanceof ApiError && error.status !== 503) throw error;
      onRepeat();
      await new Promise((resolve) => setTimeout(resolve, 500 + 500 * Math.random()));
    }
  }
}

/** Until both coordinators have reported the fleet, the floor refuses all. */
async function floorIsKnown(fleet: StormFleet): Promise<void> {
  const known = async (): Promise<boolean> => {
    const [client] = fleet.clients;
    const limits = await client?.limits({ workflow: WORKFLOW, node: fleet.nodes[0] });
    const floor = limits?.find((limit) => limit.constraint === 'maxUnavailable');
    return floor?.limit === LIMIT && floor.current === 0;
  };
  await eventually(known, { what: 'a report of the fleet', timeoutMs: 90_000, everyMs: 500 });
}
