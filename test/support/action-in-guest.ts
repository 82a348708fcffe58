/** Program for a booted host: does actions there, without an agent around them, and answers over HTTP how they ended. */
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { type ActionHost, PROGRAMS } from '../../agent/actions/action.ts';
import { ALL_ACTIONS } from '../../agent/actions/all-actions.ts';
import { readHostFacts } from '../../agent/host-facts.ts';
import { RefusalError } from '../../agent/refusal.ts';
import { actionRun, BARE_HOST } from './action-host.ts';
import type { GuestAct, GuestEnd } from './guest-actions.ts';

function hostFor(wish: GuestAct): ActionHost {
  return {
    ...BARE_HOST,
    ...PROGRAMS,
    facts: readHostFacts('1'),
    clean: new Map(wish.clean?.map((rule) => [rule.name, rule])),
    ...(wish.diagnosticsDir === undefined ? {} : { diagnosticsDir: wish.diagnosticsDir }),
  };
}

async function perform(wish: GuestAct): Promise<GuestEnd> {
  try {
    const prepared = ALL_ACTIONS.get(wish.action)!.prepare(wish.args, hostFor(wish));
    await prepared.admit?.();
    const run = actionRun(wish.timeoutMs ?? 30_000);
    if (wish.rehearse === true) return { status: 'done', output: await prepared.rehearse(run) };
    return await prepared.run(run);
  } catch (error) {
    if (error instanceof RefusalError) return { status: 'refused', code: error.code, message: error.message };
    throw error;
  }
}

createServer((request, response) => {
  const answer = async (): Promise<string> =>
    JSON.stringify(await perform(JSON.parse(await text(request)) as GuestAct));
  answer().then(
    (said) => response.end(said),
    (error: unknown) => response.writeHead(500).end((error as Error).stack),
  );
}).listen(Number(process.argv[2]), '127.0.0.1');
