import { uptime } from 'node:os';
import type { ActionOutput } from '../../workflows/contract.ts';
import { type Action, type ActionHost, factsOnly } from './action.ts';
import { argumentCheck } from './argument-check.ts';

const check = argumentCheck('ping');

/** Proves that this agent, on this boot of this host, takes orders. */
export const ping: Action = {
  name: 'ping',
  capped: false,
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
