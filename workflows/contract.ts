/**
 * Names and payloads that cross a queue: what coordinators, gate, executions and agents say to one another through Temporal.
 * Plain data only, so it can be imported anywhere: no Node, no Temporal, nothing of ours but pure siblings.
 * Payloads are versioned by adding fields; `PROTOCOL` changes only when an old reader would do the wrong thing.
 */

/** Spoken by coordinators and agents alike; each accepts its own number and the one before. */
export const PROTOCOL = 1;

/** Task queues of the control namespace; only coordinators poll them. */
export const QUEUES = {
  workflows: 'fettle/workflows',
  gate: 'fettle/gate',
  /** Long waits: actions and verification. */
  act: 'fettle/act',
  /** Short work that must never wait behind a long act: sweep, notify. */
  control: 'fettle/control',
} as const;

export const gateWorkflowId = (domain: string): string => `fettle/gate/${domain}`;

/** Task queues that agents poll, in the agents' namespace. */
export const agentQueues = (place: NodePlace): { general: string; type: string; node: string } => ({
  general: generalQueue(place.datacenter),
  type: typeQueue(place.datacenter, place.nodeType),
  node: nodeQueue(place.datacenter, place.node),
});
export const generalQueue = (datacenter: string): string => `${datacenter}/general`;
export const typeQueue = (datacenter: string, nodeType: string): string => `${datacenter}/type/${nodeType}`;
export const nodeQueue = (datacenter: string, node: string): string => `${datacenter}/node/${node}`;

/** A host's place in the fleet. Comes from its SVID or the inventory, never from what the host merely says. */
export type NodePlace = { readonly datacenter: string; readonly nodeType: string; readonly node: string };

/** Worker identity of an agent on Temporal, read back from heartbeats. */
export const agentIdentity = (place: NodePlace): string =>
  `fettle-agent/${place.datacenter}/${place.nodeType}/${place.node}`;

/** The SPIFFE path of an agent's SVID: `spiffe://<trust domain>/agent/<datacenter>/<type>/<node>`. */
export const agentSpiffePath = (place: NodePlace): string =>
  `/agent/${place.datacenter}/${place.nodeType}/${place.node}`;

/** The place that an agent's SVID names by its path; null: it is no agent's. */
export function agentPlace(path: string): NodePlace | null {
  const [empty, role, datacenter = '', nodeType = '', node = '', ...rest] = path.split('/');
  if (empty !== '' || role !== 'agent' || rest.length > 0) return null;
  return datacenter === '' || nodeType === '' || node === '' ? null : { datacenter, nodeType, node };
}

/** Id of the workflow that keeps what is known of a node: its machine, and whether it is shut out. */
export const nodeRecordId = (node: string): string => `fettle/node/${node}`;

// ---------------------------------------------------------------------------------------------------------------------
// What a workflow is. `config/workflow.ts` makes a structurally equal value from HCL; it travels in the execution's input.

/** Text with `${...}` references left in it; `ref` is e.g. `input.unit`, `target.node`, `labels.instance`, `secret.token`. */
export type Template = { readonly template: readonly (string | { readonly ref: string })[] };
export type Text = string | Template;
/** An argument as written in a definition. A template that is exactly one reference takes the referenced value's own type. */
export type ArgValue = string | number | boolean | Template | readonly ArgValue[];
/** An argument after its references were filled in. */
export type Scalar = string | number | boolean;
export type ArgResolved = Scalar | readonly ArgResolved[];
export type Args = Readonly<Record<string, ArgResolved>>;

export type TaskQueueTarget =
  | { readonly kind: 'general' }
  /** `type` null means the target's own node type. */
  | { readonly kind: 'node_type'; readonly type: string | null }
  | { readonly kind: 'node' };

export type Scope = 'target' | 'node' | 'node_type' | 'datacenter' | 'global' | `label:${string}`;

export type LimitKind = 'concurrency' | 'maxExecution' | 'cooldown' | 'maxUnavailable' | 'maxIneffective';
export type Constraint = {
  readonly kind: LimitKind;
  /** `cooldown` counts nothing: its value is 1. */
  readonly value: number;
  /** `maxUnavailable` only: `value` is a share of the inventory's nodes, in percent. */
  readonly percent: boolean;
  /** 0 where the kind has no period. */
  readonly periodMs: number;
  readonly scope: Scope;
};

/** `auto` runs; `ask` waits for a person's yes; `shadow` decides against virtual leases and runs nothing. */
export type Mode = 'auto' | 'ask' | 'shadow';
/** Another mode for targets that fit every list that is not empty. Of several that fit, the strictest holds. */
export type ModeOverride = {
  readonly mode: Mode;
  readonly nodeTypes: readonly string[];
  readonly datacenters: readonly string[];
  readonly nodes: readonly string[];
};

export type InputDefinition = {
  readonly name: string;
  readonly type: 'string' | 'number' | 'bool' | 'list';
  readonly description: string;
  /** Whole-value regular expression for strings and for the strings of a list; null = any. */
  readonly pattern: string | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly values: readonly Scalar[] | null;
  readonly default: ArgResolved | null;
  readonly required: boolean;
};

export type StepDefinition = {
  readonly name: string;
  readonly action: string;
  readonly args: Readonly<Record<string, ArgValue>>;
  readonly timeoutMs: number;
  readonly retry: { readonly attempts: number; readonly waitMs: number };
  /** `still_firing`: skipped when the fault is no longer seen as the step's turn comes. */
  readonly when: 'always' | 'still_firing';
  /** The remedy goes on without it when it failed or was refused; absent = no. */
  readonly mayFail?: true;
};

export type UndoDefinition = StepDefinition & {
  /** Name of the step that this one undoes. */
  readonly of: string;
};

/** What must hold, without a break for `forMs`, within `timeoutMs`; looked at every `everyMs`. */
export type VerifyDefinition = MetricProof | ActionProof;
type ProofTerms = { readonly forMs: number; readonly timeoutMs: number; readonly everyMs: number };
export type MetricProof = ProofTerms & {
  /** A source block's address, e.g. `prometheus.main`. */
  readonly source: string;
  /** PromQL that must give at least one sample. */
  readonly query: Text;
};
/** Asks the host itself: the action must be done, and the facts of its receipt must be as expected. */
export type ActionProof = ProofTerms & {
  readonly action: string;
  readonly args: Readonly<Record<string, ArgValue>>;
  readonly expect: Readonly<Record<string, Expected>>;
};
/** The fact itself, a list of what it may be, or bounds of a number. */
export type Expected = ArgValue | Bounds;
export type Bounds = { readonly min?: number | Template; readonly max?: number | Template };

export type WorkflowDefinition = {
  readonly name: string;
  readonly description: string;
  readonly taskQueueTarget: TaskQueueTarget;
  readonly constraints: readonly Constraint[];
  readonly mode: Mode;
  readonly modeOverrides: readonly ModeOverride[];
  /** So many of its requests may wait at once (`pending`). */
  readonly maxPending: number;
  /** A request that needs a person's yes waits for it so long. */
  readonly approvalMs: number;
  readonly inputs: readonly InputDefinition[];
  /** Empty: a TypeScript workflow of this name runs it. */
  readonly steps: readonly StepDefinition[];
  readonly undo: readonly UndoDefinition[];
  readonly verify: VerifyDefinition | null;
  readonly onFailure: { readonly notify: readonly string[]; readonly steps: readonly StepDefinition[] } | null;
};

// ---------------------------------------------------------------------------------------------------------------------
// Actions: what an agent can do. One entry here, one file in agent/actions.

export type ActionKind = {
  /** Changes the host: needs a lease on the node, fresh evidence, a ledger entry. */
  readonly changing: boolean;
  /** Doing it twice equals doing it once, so an unknown attempt may be followed by another. */
  readonly idempotent: boolean;
};

/** Every action there is. Coordinators refuse definitions that name another; agents refuse grants that do. */
export const ACTIONS: Readonly<Record<string, ActionKind>> = {
  ping: { changing: false, idempotent: true },
  exec: { changing: true, idempotent: false },
  'disk.clean': { changing: true, idempotent: true },
  'network.check': { changing: false, idempotent: true },
  /** It writes on the host, may stop a process for a moment to read its stacks, and needs root for most of what it reads. */
  'diagnostics.collect': { changing: true, idempotent: true },
  'systemd.restart': { changing: true, idempotent: true },
  'systemd.start': { changing: true, idempotent: true },
  'systemd.stop': { changing: true, idempotent: true },
  'systemd.reload': { changing: true, idempotent: true },
  'systemd.reset-failed': { changing: true, idempotent: true },
  'systemd.status': { changing: false, idempotent: true },
  'node.facts': { changing: false, idempotent: true },
  /** At most once: a host that came back is not taken down again because nobody heard of it. */
  'node.reboot': { changing: true, idempotent: false },
  'process.list': { changing: false, idempotent: true },
  /** Done again it would meet the processes that were started since. */
  'process.kill': { changing: true, idempotent: false },
  'logs.tail': { changing: false, idempotent: true },
};

// ---------------------------------------------------------------------------------------------------------------------
// Orders to agents: standalone activities in the agents' namespace. Temporal is an untrusted courier: all is signed.

/** Activity types that every agent registers. */
export const AGENT_ACTIVITIES = {
  /** (order: ActionOrder) => signed receipt */
  action: 'fettle.action',
  /** (order: SettleOrder) => signed settlement */
  settle: 'fettle.settle',
  /** (order: ClaimOrder) => signed claim; sent to a shared queue to fix which node will act */
  claim: 'fettle.claim',
} as const;

/** Id of the standalone activity that carries one attempt of one step. Its uniqueness is what lets a coordinator re-join it. */
export const actionActivityId = (execution: string, step: string, attempt: number, nonce: string): string =>
  `${execution}/${step}/${attempt}/${nonce}`;

export type ActionOrder = {
  readonly protocol: number;
  /** Compact JWS, `typ: fettle-grant+jwt`, `alg: Ed25519`, payload `GrantClaims`. */
  readonly grant: string;
  /** Must hash to the grant's `args_digest`. May hold `Template`s whose references are all `secret.*`: filled on the host. */
  readonly args: Readonly<Record<string, ArgValue>>;
};

/** JWS payload of a grant. Times are whole milliseconds since the epoch unless a standard claim says seconds. */
export type GrantClaims = {
  /** Coordinator's issuer name, e.g. `spiffe://example.com/coordinator`. */
  readonly iss: string;
  /** SPIFFE id of the one agent that may act. */
  readonly sub: string;
  /** Nonce from the gate's permit; unique for each attempt. */
  readonly jti: string;
  readonly iat: number;
  /** Pinned machine id, or null while none is pinned. */
  readonly machine_id: string | null;
  readonly execution: string;
  readonly step: string;
  readonly attempt: number;
  readonly action: string;
  /** base64url SHA-256 of the canonical JSON of the order's `args`. */
  readonly args_digest: string;
  readonly plan: string;
  /** The action may not begin after this instant. */
  readonly begin_by: number;
  readonly timeout_ms: number;
  readonly dry_run: boolean;
  /** An earlier attempt that is unknown and that the agent must end before it acts (idempotent actions only). */
  readonly supersedes: number | null;
};
export const GRANT_TYPE = 'fettle-grant+jwt';

/** JWS payload of a settle or claim order (`typ: fettle-order+jwt`), signed by the coordinator like a grant. */
export type SettleClaims = {
  readonly kind: 'settle';
  readonly iss: string;
  readonly sub: string;
  readonly jti: string;
  readonly iat: number;
  /** Not answered after this instant (milliseconds). */
  readonly until: number;
  readonly execution: string;
  readonly step: string;
  /** Every attempt up to this one is asked about, and refused for ever when it had not begun. */
  readonly attempt: number;
};
export type ClaimClaims = {
  readonly kind: 'claim';
  readonly iss: string;
  /** The task queue asked: any agent whose SVID fits the queue may answer. */
  readonly queue: string;
  readonly jti: string;
  readonly iat: number;
  readonly until: number;
  readonly execution: string;
  readonly step: string;
};
export const ORDER_TYPE = 'fettle-order+jwt';
export type SignedOrder = { readonly protocol: number; readonly order: string };

/** Why an agent did not act. Stable codes; shown to people by `fettle show`. */
export type AgentRefusal =
  | 'grant_missing'
  | 'grant_malformed'
  | 'grant_signature'
  | 'grant_unknown_key'
  | 'grant_other_issuer'
  | 'grant_other_node'
  | 'grant_other_machine'
  | 'grant_args_differ'
  | 'grant_expired'
  | 'grant_from_future'
  | 'grant_used'
  | 'attempt_refused'
  | 'attempt_unsettled'
  | 'action_unknown'
  | 'action_not_allowed'
  | 'args_invalid'
  | 'protocol_unsupported'
  | 'ledger_failed'
  /** The privileged helper of the host could not be asked until it was too late to begin. */
  | 'helper_unavailable'
  /** The host is not in a state in which it may be done: no such unit, somebody is logged in, more processes than allowed. */
  | 'host_state'
  | 'brake'
  | 'busy'
  | 'cap_reached';

export type ActionResult =
  /** The action ended and did what was asked. */
  | { readonly status: 'done'; readonly output: ActionOutput }
  /** The action began and ended without doing what was asked; nothing of it is still running. */
  | {
      readonly status: 'failed';
      readonly code: 'exit' | 'timeout' | 'cancelled' | 'spawn';
      readonly message: string;
      readonly output: ActionOutput;
    }
  /** The action never began on this host and, for this attempt, never will. */
  | { readonly status: 'refused'; readonly code: AgentRefusal; readonly message: string }
  /** It began; how it ended is not known; nothing of it is still running. */
  | { readonly status: 'unknown'; readonly message: string };

export type ActionOutput = {
  /** Facts about the host or service, e.g. `{ boot_id, active_state }`. */
  readonly facts: Readonly<Record<string, Scalar>>;
  readonly exitCode: number | null;
  /** The signal that ended the program, e.g. `SIGKILL`; absent when none did. */
  readonly signal?: string | null | undefined;
  /** The beginning of combined output, at most 2 KiB, when `tail` does not hold all of it; absent when it does. */
  readonly head?: string | null | undefined;
  /** The end of combined output, at most 4 KiB of UTF-8; null when the action has none. */
  readonly tail: string | null;
  /** base64url SHA-256 and length of the whole output, so that a bounded tail still proves the rest. */
  readonly digest: string | null;
  readonly bytes: number;
};

/** JWS payload of a receipt (`typ: fettle-receipt+jwt`), signed with the SVID's key; header `x5c` carries the chain. */
export type ReceiptClaims = {
  readonly iss: string;
  readonly execution: string;
  readonly step: string;
  readonly attempt: number;
  readonly nonce: string;
  /** base64url SHA-256 of the grant's compact JWS. */
  readonly grant_digest: string;
  readonly boot_id: string;
  readonly machine_id: string;
  readonly agent_version: string;
  /** When it began and ended by the host's clock; begin is null for a refusal. */
  readonly from: number | null;
  readonly to: number;
  readonly result: ActionResult;
};
export const RECEIPT_TYPE = 'fettle-receipt+jwt';

/** Answer to a settle order (`typ: fettle-settlement+jwt`). */
export type SettlementClaims = {
  readonly iss: string;
  /** The order's `jti`. */
  readonly nonce: string;
  readonly execution: string;
  readonly step: string;
  readonly boot_id: string;
  /** Agents before this was added leave it out. */
  readonly machine_id?: string | undefined;
  readonly at: number;
  readonly answer:
    | { readonly state: 'running'; readonly attempt: number }
    | { readonly state: 'ended'; readonly attempt: number; readonly result: ActionResult }
    /** No attempt up to the asked one had begun; the ledger now refuses them all. */
    | { readonly state: 'never_begun' };
};
export const SETTLEMENT_TYPE = 'fettle-settlement+jwt';

/** Answer to a claim order (`typ: fettle-claim+jwt`): "I will act"; its signer's SVID says which node. */
export type ClaimedClaims = {
  readonly iss: string;
  readonly nonce: string;
  readonly boot_id: string;
  readonly at: number;
};
export const CLAIM_TYPE = 'fettle-claim+jwt';

// ---------------------------------------------------------------------------------------------------------------------
// Executions.

/** What is to be healed. `node` targets carry the node's type and datacenter; the wider ones only their own. */
export type Target =
  | ({ readonly kind: 'node' } & NodePlace & { readonly labels: Readonly<Record<string, string>> })
  | { readonly kind: 'node_type'; readonly nodeType: string; readonly datacenter: string | null }
  | { readonly kind: 'datacenter'; readonly datacenter: string };

export const targetName = (target: Target): string =>
  target.kind === 'node' ? target.node : target.kind === 'node_type' ? target.nodeType : target.datacenter;

/** A lease's number: the gate's epoch and a counter within it. */
export type LeaseNumber = { readonly epoch: number; readonly n: number };
export const formatLease = (lease: LeaseNumber): string => `${lease.epoch.toString(36)}-${lease.n.toString(36)}`;
/** Id of the workflow that waits for a request; `key` is the gate's name of what waits. */
export const pendingId = (key: string): string => `pending:${key}`;
export const executionId = (workflow: string, target: string, lease: LeaseNumber): string =>
  `${workflow}:${target}:${formatLease(lease)}`;

export type Evidence = {
  /** What was seen, for people. */
  readonly summary: string;
  readonly source: string;
  readonly observedAt: number;
  /** May begin a change until then. */
  readonly validUntil: number;
  readonly labels: Readonly<Record<string, string>>;
};

/** The plan: what its digest covers, and all that a step's action and arguments are derived from. */
export type Plan = { readonly definition: WorkflowDefinition; readonly args: Args; readonly target: Target };

export type ExecutionInput = {
  readonly protocol: number;
  readonly domain: string;
  readonly execution: string;
  readonly lease: LeaseNumber;
  /** Milliseconds; started later than this plus a margin, the execution ends at once. */
  readonly startBy: number;
  readonly plan: Plan;
  readonly planDigest: string;
  readonly request: string;
  readonly caller: string;
  readonly reason: string | null;
  readonly evidence: Evidence;
  readonly episode: string | null;
  readonly dryRun: boolean;
};

export type Outcome =
  | 'healed'
  | 'no_fault'
  | 'ineffective'
  | 'failed'
  | 'cancelled'
  | 'expired'
  | 'refused_by_agent'
  | 'dry_run';

export type ExecutionResult = {
  readonly outcome: Outcome;
  /** One sentence for people: why it ended so. */
  readonly message: string;
  /** Whether a `verify` block proved it; `healed` without one rests on the steps alone. */
  readonly verified: boolean;
  readonly steps: readonly StepRecord[];
};

export type StepRecord = {
  readonly step: string;
  readonly action: string;
  readonly attempt: number;
  readonly node: string | null;
  readonly permittedAt: number | null;
  readonly began: number | null;
  readonly ended: number | null;
  readonly result: StepResult;
};

export type StepResult =
  | ActionResult
  /** The gate gave no permit; nothing was sent. */
  | { readonly status: 'no_permit'; readonly code: PermitRefusal; readonly message: string }
  /** No proof that nothing of it can still act: the lease stays held as orphaned. */
  | { readonly status: 'unsettled'; readonly message: string }
  | { readonly status: 'skipped'; readonly message: string };

export type PermitRefusal =
  | 'no_lease'
  | 'lease_ended'
  | 'plan_differs'
  | 'paused'
  /** A maintenance window is closed. */
  | 'window'
  | 'stale_evidence'
  | 'no_fault'
  | 'node_busy'
  /** A limit of the node that the step would act on has no room: it is not the node that was admitted. */
  | 'node_limit'
  | 'attempt_unsettled'
  | 'other_node'
  /** Nobody polls the node's queue: nothing was asked of the gate. */
  | 'no_agent'
  /** A person has shut the node out: nothing was asked of the gate. */
  | 'node_revoked'
  | 'too_late';

/** Search attributes, all keywords. */
export const SEARCH_ATTRIBUTES = [
  'FettleWorkflow',
  'FettleNode',
  'FettleNodeType',
  'FettleDatacenter',
  'FettleOutcome',
  'FettleTrigger',
  'FettleCaller',
  'FettleDomain',
  'FettleRequest',
] as const;
export type SearchAttribute = (typeof SEARCH_ATTRIBUTES)[number];
