/** What a coordinator does to agents, for tests: grant keys, signed orders, receipts checked, and configurations to start agents with. */
import { createHash, createPrivateKey, randomUUID, X509Certificate } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { CompactSign, compactVerify, decodeProtectedHeader } from 'jose';
import type { AgentConfig } from '../../config/agent.ts';
import { canonicalJson } from '../../workflows/canonical-json.ts';
import {
  type ActionOrder,
  AGENT_ACTIVITIES,
  agentSpiffePath,
  type ArgValue,
  type ClaimClaims,
  type ClaimedClaims,
  GRANT_TYPE,
  type GrantClaims,
  nodeQueue,
  ORDER_TYPE,
  PROTOCOL,
  type NodePlace,
  type ReceiptClaims,
  type SettleClaims,
  type SettlementClaims,
  type SignedOrder,
} from '../../workflows/contract.ts';
import { makeTestPki, type TestPki, type TestSvid } from './ca.ts';
import { temporaryDirectory } from './processes.ts';

const AT = { file: 'agent.hcl', line: 1, column: 1 };

export const AGENTS_NAMESPACE = 'fettle-agents';
export const WEB_1: NodePlace = { datacenter: 'dc1', nodeType: 'web', node: 'web-1' };

export type AgentBench = AsyncDisposable & {
  readonly dir: string;
  readonly pki: TestPki;
  readonly issuer: string;
  readonly idOf: (place: NodePlace) => string;
  /** A configuration for an agent at that place, with an SVID of its own; everything is allowed unless `more` says otherwise. */
  readonly config: (place: NodePlace, temporalAddress: string, more?: Partial<AgentConfig>) => Promise<AgentConfig>;
  readonly claims: (more?: Partial<GrantClaims>) => GrantClaims;
  /** Signs a grant for these arguments; the claims' digest is theirs unless `more` sets another. */
  readonly order: (action: string, args: Record<string, ArgValue>, more?: Partial<GrantClaims>) => Promise<ActionOrder>;
  readonly settle: (more?: Partial<SettleClaims>) => Promise<SignedOrder>;
  readonly claim: (more?: Partial<ClaimClaims>) => Promise<SignedOrder>;
  /** Signs anything; by default as the coordinators do. */
  readonly sign: (payload: unknown, header?: Record<string, unknown>, keyPem?: string) => Promise<string>;
};

export async function makeAgentBench(): Promise<AgentBench> {
  const pki = await makeTestPki();
  const home = await temporaryDirectory('fettle-agent-');
  const issuer = `spiffe://${pki.trustDomain}/coordinator`;
  const grantKey = await readFile(pki.grantKeys.privateKey, 'utf8');
  const svids = new Map<string, TestSvid>();
  const idOf = (place: NodePlace): string => `spiffe://${pki.trustDomain}${agentSpiffePath(place)}`;
  const sign = (payload: unknown, header: Record<string, unknown> = {}, keyPem = grantKey): Promise<string> =>
    new CompactSign(new TextEncoder().encode(typeof payload === 'string' ? payload : JSON.stringify(payload)))
      .setProtectedHeader({ alg: 'Ed25519', typ: GRANT_TYPE, ...header })
      .sign(createPrivateKey(keyPem));
  const now = (): number => Math.floor(Date.now() / 1000);
  const claims: AgentBench['claims'] = (more = {}) => ({
    iss: issuer,
    sub: idOf(WEB_1),
    jti: randomUUID(),
    iat: now(),
    machine_id: null,
    execution: 'restart-service:web-1:1-1',
    step: 'restart',
    attempt: 1,
    action: 'ping',
    args_digest: digest({}),
    plan: 'plan',
    begin_by: Date.now() + 15_000,
    timeout_ms: 30_000,
    dry_run: false,
    supersedes: null,
    ...more,
  });
  const shared = () => ({ iss: issuer, jti: randomUUID(), iat: now(), until: Date.now() + 15_000, step: 'restart' });
  const execution = 'restart-service:web-1:1-1';
  return {
    dir: home.path,
    pki,
    issuer,
    idOf,
    claims,
    sign,
    async config(place, address, more = {}) {
      const svid = svids.get(place.node) ?? (await pki.issue(agentSpiffePath(place)));
      svids.set(place.node, svid);
      const stateDir = join(home.path, place.node);
      await mkdir(stateDir, { recursive: true });
      return {
        identity: svid.identity,
        temporal: { address, namespace: 'fettle', agentsNamespace: AGENTS_NAMESPACE, apiKeyFile: null, tls: null },
        stateDir,
        actionsDir: null,
        secretsDir: null,
        issuer,
        grantKeys: [pki.grantKeys.publicKey],
        allow: [{ place: AT, action: '*', args: {}, perHour: null, concurrent: null }],
        never: [],
        clean: [],
        helper: null,
        diagnosticsDir: join(stateDir, 'diagnostics'),
        maxActions: 4,
        brakeFile: join(home.path, 'stop'),
        tokens: null,
        metricsListen: null,
        ...more,
      };
    },
    async order(action, args, more = {}) {
      const grant = await sign(claims({ action, args_digest: digest(args), ...more }));
      return { protocol: PROTOCOL, grant, args };
    },
    async settle(more = {}) {
      const payload = { kind: 'settle', sub: idOf(WEB_1), execution, attempt: 1, ...shared(), ...more };
      return { protocol: PROTOCOL, order: await sign(payload, { typ: ORDER_TYPE }) };
    },
    async claim(more = {}) {
      const payload = { kind: 'claim', queue: 'dc1/general', execution, ...shared(), ...more };
      return { protocol: PROTOCOL, order: await sign(payload, { typ: ORDER_TYPE }) };
    },
    async [Symbol.asyncDispose]() {
      await home[Symbol.asyncDispose]();
      await pki[Symbol.asyncDispose]();
    },
  };
}

export const digest = (value: unknown): string => createHash('sha256').update(canonicalJson(value)).digest('base64url');

/** The payload of an agent's answer, its signature checked against the certificate that it carries. */
export async function opened<T = ReceiptClaims>(jws: string): Promise<T & { signer: string }> {
  const [leaf] = decodeProtectedHeader(jws).x5c ?? [];
  const certificate = new X509Certificate(Buffer.from(leaf ?? '', 'base64'));
  const { payload } = await compactVerify(jws, certificate.publicKey);
  const claims = JSON.parse(new TextDecoder().decode(payload)) as T;
  return { ...claims, signer: (certificate.subjectAltName ?? '').replace(/^URI:/, '') };
}

/** A coordinator's end of the agents' namespace. */
export type OrderSender = AsyncDisposable & {
  readonly client: Client;
  readonly act: (order: ActionOrder, options?: SendOptions) => Promise<string>;
  readonly settle: (order: SignedOrder, queue?: string) => Promise<SettlementClaims>;
  readonly claim: (order: SignedOrder, queue: string) => Promise<ClaimedClaims & { signer: string }>;
  /** Sends and does not wait: gives the activity's id. */
  readonly send: (order: ActionOrder, options?: SendOptions) => Promise<string>;
};
export type SendOptions = { readonly queue?: string; readonly id?: string; readonly scheduleToStartMs?: number };

export async function openSender(address: string): Promise<OrderSender> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection, namespace: AGENTS_NAMESPACE });
  const web = nodeQueue(WEB_1.datacenter, WEB_1.node);
  const options = (
    order: unknown,
    { queue = web, id = randomUUID(), scheduleToStartMs = 20_000 }: SendOptions = {},
  ) => ({
    id,
    taskQueue: queue,
    args: [order],
    startToCloseTimeout: '60s' as const,
    scheduleToStartTimeout: scheduleToStartMs,
    retry: { maximumAttempts: 1 },
  });
  const short = (activity: string, order: SignedOrder, queue: string) =>
    client.activity.execute<string>(activity, options(order, { queue }));
  const long = (order: ActionOrder, send?: SendOptions) => ({
    ...options(order, send),
    heartbeatTimeout: '10s' as const,
  });
  return {
    client,
    act: (order, send) => client.activity.execute<string>(AGENT_ACTIVITIES.action, long(order, send)),
    async send(order, send) {
      const handle = await client.activity.start(AGENT_ACTIVITIES.action, long(order, send));
      return handle.activityId;
    },
    settle: async (order, queue = web) => opened<SettlementClaims>(await short(AGENT_ACTIVITIES.settle, order, queue)),
    claim: async (order, queue) => opened<ClaimedClaims>(await short(AGENT_ACTIVITIES.claim, order, queue)),
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

/** An executable file that stands for a program of the host. */
export async function script(dir: string, name: string, text: string): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, text, { mode: 0o755 });
  return path;
}
