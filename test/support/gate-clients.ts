/** Gate clients as coordinators have them, each with a connection and a record on disk of its own. */
import path from 'node:path';
import { pino, type Logger } from 'pino';
import type { TemporalConfig } from '../../config/connections.ts';
import { GateClient } from '../../coordinator/gate/gate-client.ts';
import { openKnownLease } from '../../coordinator/gate/known-lease.ts';
import { openTemporal } from '../../coordinator/temporal.ts';

export const temporalAt = (address: string): TemporalConfig => ({
  address,
  namespace: 'fettle',
  agentsNamespace: 'fettle-agents',
  apiKeyFile: null,
  tls: null,
});

export type GateClientPlace = {
  readonly address: string;
  readonly domain: string;
  /** The coordinator's. */
  readonly name: string;
  readonly dir: string;
  readonly log?: Logger;
};

/** Closed with `stack`. */
export async function openGateClient(stack: AsyncDisposableStack, place: GateClientPlace): Promise<GateClient> {
  const { address, domain, name, dir, log = pino({ level: 'silent' }) } = place;
  const temporal = await openTemporal(temporalAt(address), name);
  const known = await openKnownLease(path.join(dir, name), domain, log);
  const gate = new GateClient({ temporal, domain, name, known, log });
  stack.defer(async () => {
    gate.close();
    await known.flush();
    await temporal.close();
  });
  return gate;
}
