/**
 * Executions of our workflow types that nobody admitted: started by hand, or with a plan that is not their lease's. They get no permit, so
 * they change nothing; but somebody who may write here started them, and that is worth knowing (docs/protocol.md §10.2).
 */
import type { Logger } from 'pino';
import type { ApiStatus } from '../../workflows/api.ts';
import type { ExecutionInput } from '../../workflows/contract.ts';
import type { LeaseSummary } from '../../workflows/gate/operations.ts';
import { leaseName } from '../../workflows/gate/target-ref.ts';
import { TYPESCRIPT_WORKFLOWS } from '../../workflows/typescript-workflows.ts';
import { shortDigestOf } from '../digest.ts';
import { firstInput } from '../first-input.ts';
import type { GateClient } from '../gate/gate-client.ts';
import type { Temporal } from '../temporal.ts';

const LOOK_EVERY_MS = 60_000;
/** Looked at no sooner after their start: the gate may not have said yet that it admitted them. */
const YOUNG_MS = 15_000;
/** So many running executions are looked at. */
const MOST = 2_000;

export type Stray = NonNullable<ApiStatus['strays']>[number];

export type StraysOptions = {
  readonly temporal: Temporal;
  readonly gate: GateClient;
  readonly log: Logger;
  readonly everyMs?: number;
  readonly youngMs?: number;
};

export type Strays = {
  /** As they were seen last; null before the first look and while the last one failed. */
  readonly current: () => Stray[] | null;
  readonly stop: () => void;
};

/** Looks now and every minute. */
export function watchStrays(options: StraysOptions): Strays {
  const plans = new Map<string, string>();
  let suspects = new Set<string>();
  let seen: Stray[] | null = null;
  let busy = false;
  const look = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    try {
      const found = await findStrays(options, plans);
      // Between its release and its end an execution holds no lease for a moment: only who stands so twice is one.
      const confirmed = found.filter((one) => one.why === 'plan_differs' || suspects.has(one.execution));
      suspects = new Set(found.map((one) => one.execution));
      tell(options.log, confirmed, seen ?? []);
      seen = confirmed;
    } catch (error) {
      options.log.debug({ error }, 'running executions could not be held against the leases; trying again');
      seen = null;
    } finally {
      busy = false;
    }
  };
  void look();
  const timer = setInterval(() => void look(), options.everyMs ?? LOOK_EVERY_MS);
  return { current: () => seen, stop: () => clearInterval(timer) };
}

function tell(log: Logger, found: readonly Stray[], before: readonly Stray[]): void {
  for (const { execution, why } of found) {
    if (before.some((one) => one.execution === execution)) continue;
    log.error({ execution, why }, 'an execution runs that was not admitted so; it gets no permit');
  }
}

const TYPES = ['runbook', ...TYPESCRIPT_WORKFLOWS].map((type) => `'${type}'`).join(', ');

/** Leases are read after executions, so that whoever was admitted meanwhile has his lease. `plans` keeps what was read of each run. */
async function findStrays(
  { temporal, gate, youngMs = YOUNG_MS }: StraysOptions,
  plans: Map<string, string>,
): Promise<Stray[]> {
  const query = `ExecutionStatus = 'Running' AND WorkflowType IN (${TYPES})`;
  const running = await temporal.call('list running executions', async () => {
    const all: { readonly workflowId: string; readonly runId: string; readonly startTime: Date }[] = [];
    for await (const info of temporal.control.workflow.list({ query, pageSize: 500 })) {
      all.push(info);
      if (all.length >= MOST) break;
    }
    return all;
  });
  const leases = new Map((await gate.leases()).map((lease) => [leaseName(lease), lease]));
  for (const run of plans.keys()) if (!running.some(({ runId }) => runId === run)) plans.delete(run);
  const strays: Stray[] = [];
  for (const { workflowId, runId, startTime } of running) {
    if (Date.now() - startTime.getTime() < youngMs) continue;
    const why = await strayBecause(temporal, leases.get(workflowId), workflowId, runId, plans);
    if (why !== null) strays.push({ execution: workflowId, why });
  }
  return strays;
}

async function strayBecause(
  temporal: Temporal,
  lease: LeaseSummary | undefined,
  workflowId: string,
  runId: string,
  plans: Map<string, string>,
): Promise<Stray['why'] | null> {
  if (lease === undefined) return 'no_lease';
  const plan = plans.get(runId) ?? (await planOf(temporal, workflowId, runId));
  plans.set(runId, plan);
  return plan === lease.plan ? null : 'plan_differs';
}

/** The digest of what it was really given, not the one that it names. */
async function planOf(temporal: Temporal, workflowId: string, runId: string): Promise<string> {
  const given = await firstInput<Partial<ExecutionInput>>(temporal, workflowId, runId);
  const real = shortDigestOf(given?.plan ?? null);
  return real === given?.planDigest ? real : `${real} named ${String(given?.planDigest)}`;
}
