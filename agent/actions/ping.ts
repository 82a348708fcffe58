import { uptime } from 'node:os';
import type { ActionOutput } from '../../workflows/contract.ts';
import { type Action, type ActionHost, factsOnly } from './action.ts';
import { argumentCheck } from './argument-check.ts';

const check = argumentCheck('ping');

/** Proves that this agent, on this boot of this host, takes orders. */
export const ping: Action = {
  name: 'ping',
  capped: false,
  page: {
    about: ['Proves that the agent on this boot of this host takes orders.'],
    facts: {
      boot_id: 'new at every boot',
      'agent_version, uptime_s': 'of the agent, and of the host',
      changes_by: 'who does what changes this host: its root `helper`, or the `agent` itself',
      token_valid_s: 'how long its token for Temporal still holds, where coordinators give it one',
    },
    rehearsal: 'the same as a run: it changes nothing.',
    example: {},
  },
  prepare(args, host) {
    check(args);
    return {
      rehearse: async () => answer(host),
      run: async () => ({ status: 'done', output: await answer(host) }),
      worksOn: async () => false,
    };
  },
};

async function answer({ facts, tokenSeconds, standing }: ActionHost): Promise<ActionOutput> {
  const token = tokenSeconds?.() ?? null;
  return factsOnly({
    boot_id: facts.bootId,
    agent_version: facts.agentVersion,
    uptime_s: Math.floor(uptime()),
    ...(token === null ? {} : { token_valid_s: token }),
    ...(await standing?.()),
  });
}
