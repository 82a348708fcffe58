import type { TemporalConfig } from '../config/connections.ts';
import type { AgentTokensConfig } from '../config/coordinator.ts';
import { readTokenKeys, signToken, TokenKeyError } from '../coordinator/agent-token/token-keys.ts';
import { grpcCode, isUnreachable, openTemporal } from '../coordinator/temporal.ts';
import { checkSecretFile } from './check-identity.ts';
import { errorText, fail, type Finding, ok, warn } from './finding.ts';

/** Nobody's: no permission is ever given to it, it only asks whether an agent's would be enough. */
const PROBE = 'fettle-doctor';
const PROBE_MS = 60_000;
const ANSWER_MS = 5_000;
const DENIED = new Set([7, 16]);

type Answer = 'let in' | 'refused' | 'unreachable';

/** What a caller with this credential, or with none, gets of a namespace: reading is the least that can be asked. */
async function tryNamespace(config: TemporalConfig, namespace: string, apiKey: string | null): Promise<Answer> {
  const tls = config.tls && { ...config.tls, certificate: null, key: null };
  const temporal = await openTemporal({ ...config, tls, apiKeyFile: null }, PROBE, apiKey);
  try {
    await temporal.call(`read namespace ${namespace}`, () =>
      temporal.connection.workflowService.countWorkflowExecutions({ namespace }),
    );
    return 'let in';
  } catch (error) {
    if (DENIED.has(grpcCode(error) ?? 0)) return 'refused';
    // A server that wants a client certificate ends the handshake. Any other answer is one that only those get who were let in.
    return isUnreachable(error) ? 'unreachable' : 'let in';
  } finally {
    await temporal.close();
  }
}

/** Whether Temporal's control namespace is open to whoever reaches the server. Only asked of a server that answers its own. */
export async function checkAnonymous(config: TemporalConfig): Promise<Finding[]> {
  const { address, namespace } = config;
  if ((await tryNamespace(config, namespace, null)) !== 'let in')
    return [ok('wall', `${address} lets nobody into namespace ${namespace} without a credential`)];
  return [
    warn(
      'wall',
      `${address} lets anyone in: without any credential namespace ${namespace} can be read, and so be written; every host of an agent can act as a coordinator`,
      'for more than development: TLS, and the authorizer that keeps agents in their own namespace; see "What Temporal has to do" in the security guide',
    ),
  ];
}

/** What a token of an agent opens: the agents' namespace, and nothing of the coordinators'. */
export async function checkAgentToken(config: TemporalConfig, token: string): Promise<Finding[]> {
  const { namespace, agentsNamespace } = config;
  const [control, agents] = await Promise.all([
    tryNamespace(config, namespace, token),
    tryNamespace(config, agentsNamespace, token),
  ]);
  // That the server does not answer is said by who asked it first.
  if (control === 'unreachable' || agents === 'unreachable') return [];
  return [
    control === 'let in'
      ? fail(
          'wall',
          `an agent's token can read namespace ${namespace}: one compromised host can act as a coordinator`,
          "let the server's authorizer check tokens: global.authorization { authorizer: default, claimMapper: default }",
        )
      : ok('wall', `an agent's token opens nothing in namespace ${namespace}`),
    agents === 'let in'
      ? ok('wall', `an agent's token opens namespace ${agentsNamespace}`)
      : fail(
          'wall',
          `an agent's token is not taken for namespace ${agentsNamespace}: no agent with token_from = "coordinator" can work`,
          'does the server read these keys (jwtKeyProvider.keySourceURIs), and has it since they changed (refreshInterval)',
        ),
  ];
}

/** A coordinator's part: its token key, where that is published, and what a token it signs would open. */
export async function checkTokens(
  temporal: TemporalConfig,
  tokens: AgentTokensConfig | null,
  now: number,
): Promise<Finding[]> {
  if (tokens === null) return [];
  const files = await checkSecretFile('files', tokens.key);
  try {
    const keys = await readTokenKeys(tokens);
    const permissions = [`${temporal.agentsNamespace}:write`];
    const expires = new Date(now + PROBE_MS);
    const token = await signToken(keys, { subject: PROBE, permissions, expires, now });
    const found = await Promise.all([checkAgentToken(temporal, token), published(tokens, keys.kid)]);
    return [...files, ...found.flat()];
  } catch (error) {
    if (!(error instanceof TokenKeyError)) throw error;
    return files.some(({ state }) => state === 'fail')
      ? files
      : [...files, fail('files', errorText(error), 'fettle ca token-key --help')];
  }
}

async function published({ jwksListen }: AgentTokensConfig, kid: string): Promise<Finding[]> {
  if (jwksListen === null) return [];
  const url = `http://${jwksListen.host}:${jwksListen.port}/v1/jwks`;
  const next = 'is this coordinator running; Temporal must reach it there, or read the keys from a file';
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS), redirect: 'error' });
    const jwks: unknown = await answer.json();
    if (JSON.stringify(jwks).includes(JSON.stringify(kid))) return [ok('wall', `${url} publishes the token key`)];
    return [fail('wall', `${url} does not publish the token key that is configured`, 'restart the coordinator')];
  } catch (error) {
    return [fail('wall', `the token keys cannot be read at ${url}: ${errorText(error)}`, next)];
  }
}
