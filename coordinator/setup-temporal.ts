/** `fettle setup temporal`: makes what Fettle needs on a Temporal server. Repeating it changes nothing. */
import { setTimeout as delay } from 'node:timers/promises';

import type { WorkflowStartOptions } from '@temporalio/client';
import type { Logger } from 'pino';
import type { TemporalConfig } from '../config/connections.ts';
import { gateWorkflowId, QUEUES, SEARCH_ATTRIBUTES } from '../workflows/contract.ts';
import type { GateInput } from '../workflows/gate.ts';
import { grpcCode, openTemporal, type Temporal } from './temporal.ts';

export type SetupOptions = TemporalConfig & {
  readonly domain: string;
  readonly retentionDays: number;
  readonly log?: Logger;
};
export type SetupReport = {
  readonly steps: readonly { readonly what: string; readonly done: 'created' | 'already there' }[];
};

const ALREADY_EXISTS = 6;
/** temporal.api.enums.v1.IndexedValueType */
const KEYWORD = 2;
const READY_MS = 30_000;

/** @throws TemporalUnreachableError, or the server's refusal. */
export async function setupTemporal(options: SetupOptions): Promise<SetupReport> {
  const temporal = await openTemporal(options, 'fettle-setup');
  try {
    const steps: { what: string; done: 'created' | 'already there' }[] = [];
    for (const namespace of [options.namespace, options.agentsNamespace]) {
      steps.push({
        what: `namespace ${namespace}`,
        done: await makeNamespace(temporal, namespace, options.retentionDays),
      });
    }
    await eventually('new namespaces to be usable', async () => {
      await listOnce(temporal, options.namespace);
      await listOnce(temporal, options.agentsNamespace);
    });
    const attributes = await makeSearchAttributes(temporal, options.namespace);
    steps.push({ what: `${SEARCH_ATTRIBUTES.length} search attributes in ${options.namespace}`, done: attributes });
    steps.push({ what: `gate of domain ${options.domain}`, done: await makeGate(temporal, options.domain) });
    return { steps };
  } finally {
    await temporal.close();
  }
}

async function makeNamespace(
  temporal: Temporal,
  namespace: string,
  retentionDays: number,
): Promise<'created' | 'already there'> {
  try {
    await temporal.call(`register namespace ${namespace}`, () =>
      temporal.connection.workflowService.registerNamespace({
        namespace,
        description: 'Fettle',
        // The generated type asks for a 64-bit object; the wire takes a plain number as well.
        workflowExecutionRetentionPeriod: { seconds: (retentionDays * 86_400) as never },
      }),
    );
    return 'created';
  } catch (error) {
    if (grpcCode(error) === ALREADY_EXISTS) return 'already there';
    throw error;
  }
}

async function listOnce(temporal: Temporal, namespace: string): Promise<void> {
  await temporal.call('look into a namespace', () =>
    temporal.connection.workflowService.countWorkflowExecutions({ namespace }),
  );
}

async function makeSearchAttributes(temporal: Temporal, namespace: string): Promise<'created' | 'already there'> {
  const known = await temporal.call('list search attributes', () =>
    temporal.connection.operatorService.listSearchAttributes({ namespace }),
  );
  const missing = SEARCH_ATTRIBUTES.filter((name) => known.customAttributes?.[name] === undefined);
  if (missing.length === 0) return 'already there';
  const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]));
  await temporal.call('add search attributes', () =>
    temporal.connection.operatorService.addSearchAttributes({ namespace, searchAttributes }),
  );
  await eventually('search attributes to be usable', async () => {
    const query = missing.map((name) => `${name} = "x"`).join(' OR ');
    await temporal.call('use search attributes', () =>
      temporal.connection.workflowService.countWorkflowExecutions({ namespace, query }),
    );
  });
  return 'created';
}

/**
 * A gate is made here and nowhere else, by a person's command: a coordinator that finds none refuses to decide. One made anew after another
 * ended knows less than coordinators have seen, so it decides nothing until adopted.
 */
async function makeGate(temporal: Temporal, domain: string): Promise<'created' | 'already there'> {
  try {
    await startGate(temporal, domain, { workflowIdReusePolicy: 'REJECT_DUPLICATE' });
    return 'created';
  } catch (error) {
    if (!(error instanceof Error && error.name === 'WorkflowExecutionAlreadyStartedError')) throw error;
    await requireOpen(temporal, domain);
    return 'already there';
  }
}

/** A gate with empty counts in place of whatever is there, in one call: coordinators that see the old one end find this one. */
export const replaceGate = (temporal: Temporal, domain: string): Promise<unknown> =>
  startGate(temporal, domain, {
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowIdConflictPolicy: 'TERMINATE_EXISTING',
  });

function startGate(
  temporal: Temporal,
  domain: string,
  policies: Pick<WorkflowStartOptions, 'workflowIdReusePolicy' | 'workflowIdConflictPolicy'>,
): Promise<unknown> {
  const input: GateInput = { domain, fresh: true };
  return temporal.call('start the gate', () =>
    temporal.control.workflow.start('gate', {
      ...policies,
      workflowId: gateWorkflowId(domain),
      taskQueue: QUEUES.gate,
      args: [input],
      workflowTaskTimeout: '2s',
      staticSummary: `Admits and holds leases of domain ${domain}`,
    }),
  );
}

/** A gate that has ended is never made anew: what it held would be forgotten. @throws Error */
async function requireOpen(temporal: Temporal, domain: string): Promise<void> {
  const id = gateWorkflowId(domain);
  const described = await temporal.call('describe the gate', () => temporal.control.workflow.getHandle(id).describe());
  if (described.status.name === 'RUNNING') return;
  const state = described.status.name.toLowerCase();
  throw new Error(
    `the gate of domain "${domain}" (workflow ${id}) is ${state} and is not made anew, for what it held is unknown; a person must look: docs/operations.md`,
  );
}

/** New namespaces and attributes take some seconds to reach every part of a server. */
async function eventually(what: string, look: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    try {
      return await look();
    } catch (cause) {
      if (Date.now() > deadline) throw new Error(`waited ${READY_MS / 1000} s for ${what}`, { cause });
      await delay(200);
    }
  }
}
