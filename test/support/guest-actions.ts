/** Actions done on a booted host, for tests of what they do to a real one. */
import type { CleanRule } from '../../config/agent-rules.ts';
import type { ActionOutput, ActionResult, Args } from '../../workflows/contract.ts';
import { PROGRAM } from './booted-agent.ts';
import type { BootedHost } from './booted-host.ts';
import { eventually, freePort } from './processes.ts';

export type GuestAct = {
  readonly action: string;
  readonly args: Args;
  readonly rehearse?: boolean;
  readonly timeoutMs?: number;
  /** The host's clean blocks. */
  readonly clean?: readonly CleanRule[];
  readonly diagnosticsDir?: string;
};
export type GuestEnd = Exclude<ActionResult, { status: 'unknown' }>;

export type GuestActions = {
  readonly host: BootedHost;
  /** Does an action as root, or as `user`. */
  readonly act: (
    action: string,
    args: Args,
    more?: Omit<GuestAct, 'action' | 'args'> & { user?: string },
  ) => Promise<GuestEnd>;
  /** @throws when it was not done */
  readonly done: (action: string, args: Args, more?: Omit<GuestAct, 'action' | 'args'>) => Promise<ActionOutput>;
};

/** The host must have been booted with `bind: PROGRAM`, on this machine's network. */
export function guestActions(host: BootedHost): GuestActions {
  const servers = new Map<string, Promise<string>>();
  const act: GuestActions['act'] = async (action, args, { user = 'root', ...more } = {}) => {
    const wish: GuestAct = { action, args, ...more };
    if (!servers.has(user)) servers.set(user, serve(host, user));
    const answer = await fetch(await servers.get(user)!, { method: 'POST', body: JSON.stringify(wish) });
    const said = await answer.text();
    if (!answer.ok) throw new Error(`${action} on ${host.name} broke down:\n${said}`);
    return JSON.parse(said) as GuestEnd;
  };
  return {
    host,
    act,
    async done(action, args, more = {}) {
      const end = await act(action, args, more);
      if (end.status !== 'done') throw new Error(`${action}: ${end.message}\n${JSON.stringify(end)}`);
      return end.output;
    },
  };
}

/** One process for each user, for starting one takes longer than most actions. */
async function serve(host: BootedHost, user: string): Promise<string> {
  const [node, checkout] = PROGRAM.map(({ to }) => to!);
  const [port, unit] = [await freePort(), `actions-of-${user}`];
  const program = [node!, `${checkout}/test/support/action-in-guest.ts`, String(port)];
  await host.sh('systemd-run', `--unit=${unit}`, `--property=User=${user}`, '--', ...program);
  const url = `http://127.0.0.1:${port}/`;
  const answers = () => fetch(url).then(() => true);
  await eventually(answers, { what: `${unit} to listen`, timeoutMs: 60_000 }).catch(async (cause: unknown) => {
    throw new Error(await host.journal(`${unit}.service`), { cause });
  });
  return url;
}
