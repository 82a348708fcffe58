import type { Caller, CoordinatorService } from '../../coordinator/service.ts';
import type { ApiEvent, ApiExecution, ApiExecutionDetail, ApiPendingRequest, ApiWindow } from '../../workflows/api.ts';

export type RecordedCall = {
  readonly method: keyof CoordinatorService;
  readonly caller: Caller | null;
  readonly args: readonly unknown[];
};

/** A service that answers with fixed values and remembers what reached it, for tests of what stands before it. */
export type RecordedService = CoordinatorService & { readonly calls: RecordedCall[] };

const AT = '2026-05-01T12:00:00Z';

export const EXECUTION: ApiExecution = {
  id: 'restart-service:web-1:1-4k',
  workflow: 'restart-service',
  target: 'web-1',
  node: 'web-1',
  node_type: 'web',
  datacenter: 'dc1',
  state: 'running',
  outcome: null,
  caller: 'spiffe://example.com/person/ann',
  started_at: AT,
  closed_at: null,
};
export const EVENTS: readonly ApiEvent[] = [
  { at: AT, event: 'admitted', message: 'admitted' },
  { at: AT, event: 'ended', message: 'done', step: 'restart', attempt: 1, node: 'web-1' },
];
export const DETAIL: ApiExecutionDetail = {
  ...EXECUTION,
  message: null,
  verified: null,
  reason: null,
  dry_run: false,
  plan: 'p',
  request: 'r-1',
  args: { unit: 'web.service' },
  evidence: { summary: 's', source: 'x', observed_at: AT, valid_until: AT, labels: {} },
  steps: [],
  timeline: [...EVENTS],
};

export const PENDING: ApiPendingRequest = {
  pending: 'pending:4k9',
  waits_for: 'approval',
  message: 'waits for a yes',
  reasons: [],
  place: 0,
  asks_again_at: AT,
  expires_at: AT,
  workflow: 'restart-service',
  target: 'web-1',
  request: 'r-1',
  caller: 'spiffe://example.com/person/bob',
  since: AT,
  plan: 'p',
  approved_by: null,
};
const WINDOW: ApiWindow = {
  name: 'w-3f9a1c07',
  scope: { node_types: ['web'] },
  from: AT,
  until: AT,
  source: 'person',
  by: 'ann',
  reason: 'release',
};
const WAITED = { pending: PENDING.pending, state: 'waiting', outcome: null, execution: null, message: 'm' } as const;
const APPROVED = { pending: PENDING.pending, by: 'ann', execution: null, message: 'approved' };

export function recordedService(override: Partial<CoordinatorService> = {}): RecordedService {
  const calls: RecordedCall[] = [];
  const note = (method: keyof CoordinatorService, caller: Caller | null, ...args: readonly unknown[]): void =>
    void calls.push({ method, caller, args });
  return {
    calls,
    request: (caller, body) => {
      note('request', caller, body);
      return Promise.resolve({ decision: 'admitted', request_id: body.request_id ?? 'r-1', execution: EXECUTION.id });
    },
    reportEpisode: (caller, report) => {
      note('reportEpisode', caller, report);
      return Promise.resolve({ episode: 'e-1', open: true });
    },
    listExecutions: (filter) => {
      note('listExecutions', null, filter);
      return Promise.resolve([EXECUTION]);
    },
    getExecution: (id) => {
      note('getExecution', null, id);
      return Promise.resolve(DETAIL);
    },
    executionEvents: async function* (id) {
      note('executionEvents', null, id);
      yield* EVENTS;
    },
    cancelExecution: (caller, id, reason) => {
      note('cancelExecution', caller, id, reason);
      return Promise.resolve(EXECUTION);
    },
    listPending: () => {
      note('listPending', null);
      return Promise.resolve([PENDING]);
    },
    getPending: (id) => {
      note('getPending', null, id);
      return Promise.resolve({ ...WAITED, request: PENDING, asked: null });
    },
    cancelPending: (caller, id, reason) => {
      note('cancelPending', caller, id, reason);
      return Promise.resolve({ ...WAITED, state: 'ended', outcome: 'cancelled', request: null, asked: null });
    },
    approve: (caller, id, approval) => {
      note('approve', caller, id, approval);
      return Promise.resolve(APPROVED);
    },
    deny: (caller, id, reason) => {
      note('deny', caller, id, reason);
      return Promise.resolve({ ...APPROVED, message: 'denied' });
    },
    pause: (caller, { scope, reason }) => {
      note('pause', caller, scope, reason);
      const pause = { id: 'p-3f9a1c07', scope, reason, by: 'ann', since: AT, until: null };
      return Promise.resolve({ ...pause, outstanding: [], quiet_after: AT });
    },
    resume: (caller, { id, reason }) => {
      note('resume', caller, id, reason);
      return Promise.resolve({ id, what: 'pause', by: 'ann' });
    },
    windows: () => {
      note('windows', null);
      return Promise.resolve([WINDOW]);
    },
    addWindow: (caller, wish) => {
      note('addWindow', caller, wish);
      return Promise.resolve(WINDOW);
    },
    removeWindow: (caller, name, reason) => {
      note('removeWindow', caller, name, reason);
      return Promise.resolve(WINDOW);
    },
    decisions: (filter) => {
      note('decisions', null, filter);
      return Promise.resolve({ decisions: [], reaches_back_to: null, next: null });
    },
    why: (query) => {
      note('why', null, query);
      return Promise.resolve({ stories: [], reaches_back_to: null });
    },
    limits: (query) => {
      note('limits', null, query);
      return Promise.resolve([]);
    },
    nodes: () => {
      note('nodes', null);
      return Promise.resolve([
        {
          node: 'web-1',
          node_type: 'web',
          datacenter: 'dc1',
          alive: true,
          last_seen: AT,
          in_inventory: false,
          labels: {},
          revoked: null,
          machine: null,
          other_machine: null,
          renewed_at: null,
        },
      ]);
    },
    changeNode: (caller, node, op, change) => {
      note('changeNode', caller, node, op, change);
      return Promise.resolve({ node, revoked: null, machine: null, other_machine: null });
    },
    agentToken: (caller, request) => {
      note('agentToken', caller, request);
      return Promise.resolve({ token: 'a.b.c', expires_at: AT });
    },
    tokenKeys: () => {
      note('tokenKeys', null);
      return Promise.resolve({ keys: [] });
    },
    workflows: () => {
      note('workflows', null);
      return Promise.resolve([
        {
          name: 'restart-service',
          description: 'd',
          kind: 'runbook',
          task_queue_target: 'node',
          constraints: [{ kind: 'concurrency', value: 1, percent: false, period_s: 900, scope: 'target' }],
          mode: 'auto',
          inputs: [{ name: 'unit', type: 'string', required: true, default: null, description: '' }],
        },
      ]);
    },
    status: () => {
      note('status', null);
      return Promise.resolve({
        coordinator: 'c1',
        version: '0.1.0',
        domain: 'main',
        temporal: { address: '127.0.0.1:7233', connected: true },
        gate: {
          state: 'open',
          leases: 0,
          orphaned: 0,
          waiting: 0,
          detail: null,
          pauses: [],
          windows: [],
          breakers: [],
          orphans: [],
          disagreements: [],
        },
        fleet: { state: 'ready', alive: 1 },
        strays: [],
        config: { files: [] },
        warnings: [],
      });
    },
    notReady: () => {
      note('notReady', null);
      return Promise.resolve(null);
    },
    ...override,
  };
}
