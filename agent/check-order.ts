import type { AgentConfig } from '../config/agent.ts';
import { ACTIONS, type Args } from '../workflows/contract.ts';
import { createActionHost, type HostRules } from './action-host.ts';
import type { ActionRun, PreparedAction, Programs } from './actions/action.ts';
import { ALL_ACTIONS } from './actions/all-actions.ts';
import { type AllowList, at, createAllowList } from './allow-list.ts';
import { hostClock } from './boot-clock.ts';
import { checkBrake } from './brake.ts';
import { type Cap, capText, checkCap } from './caps.ts';
import { LedgerError } from './durable-file.ts';
import { readHostFacts } from './host-facts.ts';
import { readBegun } from './ledger.ts';
import { runProcess } from './process-group.ts';
import { RefusalError } from './refusal.ts';
import { type FilledArgs, fillSecrets, withoutSecrets } from './secrets.ts';

/** One thing that decides about an order. */
export type Check = {
  readonly name: 'action' | 'secrets' | 'rules' | 'caps' | 'arguments' | 'brake' | 'host';
  /** Null: holds. */
  readonly refusal: { readonly code: string; readonly message: string } | null;
  /** What was found. */
  readonly found: string;
};

export type OrderCheck = {
  readonly allowed: boolean;
  readonly checks: readonly Check[];
  readonly caps: readonly Cap[];
  /** What it would do, in its own words; null when it is refused or cannot say. */
  readonly rehearsal: string | null;
};

export type CheckSetting = {
  readonly config: AgentConfig;
  readonly rules: HostRules;
  readonly version: string;
  readonly programs?: Partial<Programs>;
  readonly signal: AbortSignal;
};

const REHEARSAL_MS = 30_000;

/** What this host would answer to an order with good papers, and why. Changes nothing, and asks nobody. */
export async function checkOrder(setting: CheckSetting, name: string, given: Args): Promise<OrderCheck> {
  const { config, rules } = setting;
  const checks: Check[] = [];
  const look = async <T>(what: Check['name'], work: () => Promise<readonly [string, T]>): Promise<T | null> => {
    try {
      const [found, value] = await work();
      checks.push({ name: what, refusal: null, found });
      return value;
    } catch (error) {
      checks.push({ name: what, refusal: refusalOf(error), found: '' });
      return null;
    }
  };
  await look('action', async () => [changing(name), null]);
  const filled = await look('secrets', () => filling(given, config.secretsDir));
  const allow = createAllowList(rules.allow, rules.never);
  const by = filled && (await look('rules', async () => judging(allow, name, filled.args)));
  let caps: readonly Cap[] = [];
  if (by !== null)
    await look('caps', async () => {
      caps = await counting(config, allow, by);
      caps.forEach(checkCap);
      return [caps.map(capText).join('; ') || 'none', null];
    });
  const prepared = filled && (await look('arguments', async () => preparing(setting, name, filled.args)));
  await look('brake', async () => [await unbraked(config.brakeFile), null]);
  if (prepared?.admit !== undefined)
    await look('host', async () => ['its state lets it be done', await prepared.admit?.()]);
  const allowed = checks.every(({ refusal }) => refusal === null);
  const rehearsal = allowed && prepared !== null ? await rehearse(setting, prepared, filled?.secrets ?? []) : null;
  return { allowed, checks, caps, rehearsal };
}

function refusalOf(error: unknown): { code: string; message: string } {
  if (error instanceof RefusalError) return { code: error.code, message: error.message };
  if (error instanceof LedgerError) return { code: 'ledger_failed', message: error.message };
  throw error;
}

async function filling(given: Args, secretsDir: string | null): Promise<readonly [string, FilledArgs]> {
  const filled = await fillSecrets(given, secretsDir);
  const count = filled.secrets.length;
  return [count === 0 ? 'none asked for' : `${count} found`, filled];
}

function changing(name: string): string {
  const kind = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (kind === undefined || !ALL_ACTIONS.has(name))
    throw new RefusalError('action_unknown', `there is no action ${JSON.stringify(name)}`);
  if (!kind.changing) return 'changes nothing';
  return kind.idempotent ? 'changes the host; may be done again' : 'changes the host; done at most once';
}

function judging(allow: AllowList, name: string, args: Args) {
  const verdict = allow.judge(name, args);
  if (!verdict.allowed) throw new RefusalError('action_not_allowed', verdict.message);
  const places = verdict.by.map(({ action, place }) => `allow ${JSON.stringify(action)} at ${at(place)}`);
  return [`fits ${places.join(' and ')}`, verdict.by] as const;
}

async function counting(
  { helper, stateDir }: AgentConfig,
  allow: AllowList,
  by: Parameters<AllowList['caps']>[0],
): Promise<readonly Cap[]> {
  if (allow.caps(by, []).length === 0) return [];
  return allow.caps(by, await readBegun(helper?.stateDir ?? stateDir, hostClock()));
}

function preparing(setting: CheckSetting, name: string, args: Args): readonly [string, PreparedAction] {
  const { config, rules, version, programs } = setting;
  const host = createActionHost(config, () => rules, readHostFacts(version), programs);
  const action = ALL_ACTIONS.get(name);
  if (action === undefined) throw new RefusalError('args_invalid', 'nobody knows the arguments of an unknown action');
  return ['are as the action wants them', action.prepare(args, host)];
}

async function unbraked(file: string): Promise<string> {
  await checkBrake(file);
  return `off: there is no ${file}`;
}

async function rehearse(
  { signal }: CheckSetting,
  prepared: PreparedAction,
  secrets: readonly string[],
): Promise<string | null> {
  const run: ActionRun = {
    timeoutMs: REHEARSAL_MS,
    signal,
    secrets,
    run: ({ timeoutMs = REHEARSAL_MS, secrets: more = [], ...command }) =>
      runProcess({
        ...command,
        timeoutMs,
        signal,
        attemptKey: 'check',
        secrets: [...secrets, ...more],
        onSpawn: () => undefined,
      }),
  };
  try {
    const { tail, facts } = await prepared.rehearse(run);
    return withoutSecrets(tail ?? JSON.stringify(facts), secrets);
  } catch (error) {
    return `it cannot say: ${withoutSecrets((error as Error).message, secrets)}`;
  }
}
