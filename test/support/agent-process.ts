/**
 * One agent as a process of its own, so that a test can kill it: `node agent-process.ts FILE`, where FILE holds
 * `{ config, commands, programs, host }` as JSON: `programs` to use in place of the host's own, `host` the facts to believe of it (both
 * may be absent). Says `connected` on standard output; SIGTERM stops it in order.
 */
import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { startAgent } from '../../agent/agent.ts';
import { installTemporalRuntime } from '../../agent/temporal-runtime.ts';
import { openSvidSource } from '../../identity/svid-source.ts';

const { config, commands, programs, host } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
const log = pino({ level: 'info' });
installTemporalRuntime(log);
const svid = await openSvidSource(config.identity, { log });
const agent = await startAgent(config, {
  svid,
  identity: svid,
  commands,
  log,
  metrics: new Registry(),
  graceMs: 500,
  ...(programs === undefined ? {} : { programs }),
  ...(host === undefined ? {} : { host }),
});
process.once('SIGTERM', () => void agent.stop().then(() => svid[Symbol.asyncDispose]()));
await agent.connected;
process.stdout.write('connected\n');
