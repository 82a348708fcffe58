import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { pino } from 'pino';
import { parseSpiffeId } from '../../config/spiffe-id.ts';
import { makeTokenKey } from '../../identity/dev-ca.ts';
import { temporaryDirectory } from '../../test/support/processes.ts';
import { type NodeState, UNKNOWN_NODE } from '../../workflows/node-state.ts';
import { NodeRecordError, type NodeRecords } from '../nodes/node-records.ts';
import { createNodes } from '../nodes/nodes.ts';
import { ApiFailure, type Caller } from '../service.ts';
import { type AgentTokens, createAgentTokens } from './agent-tokens.ts';
import { serveJwks } from './jwks-listener.ts';
import { readTokenKeys, TokenKeyError } from './token-keys.ts';

const place = { file: 'inventory.hcl', line: 1, column: 1 };
const LISTED = { place, node: 'web-1', nodeType: 'web', datacenter: 'dc1', labels: {}, machineId: null };
const agent = (id: string): Caller => ({ kind: 'identified', id: parseSpiffeId(id) });
const WEB_1 = agent('spiffe://example.com/agent/dc1/web/web-1');
const log = pino({ level: 'silent' });

describe('agent tokens', () => {
  const stack = new AsyncDisposableStack();
  let dir: string;
  let key: string;
  before(async () => {
    dir = stack.use(await temporaryDirectory('fettle-tokens-')).path;
    key = (await makeTokenKey(dir)).privateKey;
  });
  after(() => stack.disposeAsync());

  /** Records in memory: what Temporal keeps is tested on a whole site. */
  const given = async (state: NodeState | NodeRecordError = UNKNOWN_NODE, alarms: string[] = []) => {
    const read = (): Promise<NodeState> =>
      state instanceof NodeRecordError ? Promise.reject(state) : Promise.resolve(state);
    const records: NodeRecords = { read, recent: read, change: read, all: () => Promise.resolve(new Map()) };
    const listed = (node: string) => (node === 'web-1' ? LISTED : null);
    const onOtherMachine = ({ machineId }: { machineId: string }): void => void alarms.push(machineId);
    return createAgentTokens({
      keys: await readTokenKeys({ key, previousKeys: [] }),
      ttlMs: 600_000,
      issuer: 'spiffe://example.com/coordinator',
      trustDomain: 'example.com',
      agentsNamespace: 'fettle-agents',
      nodes: createNodes({ records, listed, log, onOtherMachine }),
      listed,
      onResult: () => undefined,
      onFirst: () => undefined,
    });
  };
  const refusal = async (tokens: AgentTokens, caller: Caller, machine_id?: string): Promise<string> => {
    try {
      await tokens.issue(caller, { machine_id });
    } catch (error) {
      assert.ok(error instanceof ApiFailure, String(error));
      return error.code;
    }
    return 'issued';
  };

  test('open the namespace of agents, for whom they are, until they end, by a published key', async () => {
    const tokens = await given();
    const { token, expires_at: expires } = await tokens.issue(WEB_1, { machine_id: 'machine-1' });
    const keys = createLocalJWKSet({ keys: [...tokens.jwks().keys] });
    const { payload, protectedHeader } = await jwtVerify(token, keys);
    assert.deepEqual(payload['permissions'], ['fettle-agents:write']);
    assert.equal(payload.sub, 'spiffe://example.com/agent/dc1/web/web-1');
    assert.equal(payload.exp, Math.floor(Date.parse(expires) / 1000));
    assert.deepEqual([protectedHeader.alg, typeof protectedHeader.kid], ['ES256', 'string']);
    assert.ok(
      tokens.jwks().keys.every((jwk) => jwk['d'] === undefined),
      'a private half is published',
    );
    assert.notEqual(tokens.renewedAt({ datacenter: 'dc1', nodeType: 'web', node: 'web-1' }), null);
  });

  const cases: [string, Caller, string][] = [
    ['of another trust domain', agent('spiffe://other.example/agent/dc1/web/web-1'), 'not_allowed'],
    ['of a person', agent('spiffe://example.com/person/ann'), 'not_allowed'],
    ['of nobody', { kind: 'anonymous' }, 'not_allowed'],
    ['of a node that the inventory has not', agent('spiffe://example.com/agent/dc1/web/web-2'), 'not_in_inventory'],
    ['of another type than the inventory says', agent('spiffe://example.com/agent/dc1/db/web-1'), 'not_in_inventory'],
    ['of another datacenter', agent('spiffe://example.com/agent/dc2/web/web-1'), 'not_in_inventory'],
  ];
  for (const [who, caller, code] of cases)
    test(`are not for an id ${who}`, async () => assert.equal(await refusal(await given(), caller), code));

  test('are not for a node that is shut out', async () => {
    const revoked = { by: 'ann', reason: 'stolen', at: 1_000 };
    assert.equal(await refusal(await given({ ...UNKNOWN_NODE, revoked }), WEB_1), 'node_revoked');
  });
  test('are for the pinned machine alone, and another one is an alarm, one that says nothing too', async () => {
    const alarms: string[] = [];
    const tokens = await given({ ...UNKNOWN_NODE, machineId: 'machine-1' }, alarms);
    assert.equal(await refusal(tokens, WEB_1, 'machine-1'), 'issued');
    assert.equal(await refusal(tokens, WEB_1, 'machine-2'), 'other_machine');
    assert.equal(await refusal(tokens, WEB_1), 'other_machine');
    assert.deepEqual(alarms, ['machine-2', '']);
  });
  test('are refused while it cannot be read who is shut out', async () => {
    assert.equal(await refusal(await given(new NodeRecordError('no')), WEB_1), 'no_node_record');
  });

  test('are checked by the previous key as well while it is published, which may be its public half alone', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const files = { rsa: path.join(dir, 'rsa.key'), pub: path.join(dir, 'rsa.pub') };
    await writeFile(files.rsa, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    await writeFile(files.pub, publicKey.export({ type: 'spki', format: 'pem' }));
    const { jwks, alg } = await readTokenKeys({ key, previousKeys: [files.pub, key] });
    assert.deepEqual([alg, jwks.keys.map((jwk) => jwk.alg)], ['ES256', ['ES256', 'RS256']]);
    assert.equal((await readTokenKeys({ key: files.rsa, previousKeys: [] })).alg, 'RS256');
  });

  test('are not signed by a key that others can read, or of a kind that Temporal cannot check', async () => {
    const write = async (name: string, pem: string | Buffer, mode = 0o600): Promise<string> => {
      const file = path.join(dir, name);
      await writeFile(file, pem, { mode });
      await chmod(file, mode);
      return file;
    };
    const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;
    const ed = generateKeyPairSync('ed25519').privateKey.export(pkcs8);
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export(pkcs8);
    const curve = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export(pkcs8);
    const good = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(pkcs8);
    const bad: [string, RegExp][] = [
      [await write('open.key', good, 0o640), /can be read by others; run: chmod 600/],
      [await write('ed.key', ed), /of the kind ed25519; Temporal checks P-256 and RSA/],
      [await write('small.key', small), /RSA of 1024 bits/],
      [await write('curve.key', curve), /secp384r1/],
      [await write('text.key', 'secret words'), /holds no private key in PEM; make one with: fettle ca token-key/],
      [path.join(dir, 'absent.key'), /cannot read the token key/],
    ];
    for (const [file, says] of bad)
      await assert.rejects(readTokenKeys({ key: file, previousKeys: [] }), (error: unknown) => {
        assert.ok(error instanceof TokenKeyError);
        assert.match(error.message, says);
        assert.doesNotMatch(error.message, /secret words/);
        return true;
      });
  });

  test('have their keys served over plain HTTP, and nothing else there', async () => {
    const { jwks } = await readTokenKeys({ key, previousKeys: [] });
    await using listener = await serveJwks({ host: '127.0.0.1', port: 0 }, jwks, log);
    const get = (route: string, method = 'GET') => fetch(`http://127.0.0.1:${listener.port}${route}`, { method });
    assert.deepEqual(await (await get('/v1/jwks')).json(), JSON.parse(JSON.stringify(jwks)));
    for (const [route, method] of [
      ['/', 'GET'],
      ['/v1/jwks', 'POST'],
      ['/v1/jwks?x', 'GET'],
      ['/v1/nodes', 'GET'],
      ['/metrics', 'GET'],
    ] as const)
      assert.equal((await get(route, method)).status, 404, `${method} ${route}`);
  });
});
