import { randomUUID } from 'node:crypto';
import { styleText } from 'node:util';
import { CoordinatorUnreachableError } from '../identity/coordinator-client.ts';
import type { ApiDecision, ApiExecutionDetail, ApiRequest, ApiTarget } from '../workflows/api.ts';
import { parseArguments } from './arguments.ts';
import { connectCoordinator } from './connect-coordinator.ts';
import type { CoordinatorApi } from './coordinator-api.ts';
import { outcomeExit } from './execution-text.ts';
import { CommandError, EXIT, type ExitCode, gravest } from './exit-code.ts';
import type { ClientFlags, OutputOption } from './fettle-command.ts';
import { follow } from './follow.ts';
import { type Io, note, say, wantsColour } from './io.ts';
import { printDocument } from './list-output.ts';
import { printable, printableJson } from './printable.ts';
import { chooseTargets, type TargetFlags } from './run-target.ts';
import { reasonText } from './standing-text.ts';
import { awaitPending, PendingEndedError } from './await-pending.ts';
import { eventPrinter, outcomeLine } from './watch.ts';

export type RunFlags = ClientFlags &
  OutputOption &
  TargetFlags & {
    readonly arg?: readonly string[];
    readonly dryRun?: true;
    /** Milliseconds; true = as long as it takes. */
    readonly wait?: number | true;
    readonly watch?: true;
    readonly reason?: string;
    readonly requestId?: string;
  };

/** What became of one request. */
type Asked = {
  readonly target: ApiTarget;
  readonly decision: ApiDecision | null;
  /** Why there is no decision, or why its end is not known. */
  readonly error: CommandError | null;
  readonly execution: ApiExecutionDetail | null;
};

/** `fettle run WORKFLOW ...` */
export async function runWorkflow(io: Io, workflow: string, flags: RunFlags): Promise<ExitCode> {
  const args = parseArguments(flags.arg ?? []);
  await using coordinator = await connectCoordinator(io, flags);
  const { api } = coordinator;
  const { targets, note: told } = await chooseTargets(api, workflow, flags);
  if (told !== null) note(io, printable(told));
  const id = flags.requestId ?? randomUUID();
  const bodies = targets.map((target): ApiRequest => {
    const request_id = targets.length > 1 && 'node' in target ? `${id}-${target.node}` : id;
    const issued_at = new Date(io.now()).toISOString();
    const dry_run = flags.dryRun === true ? { dry_run: true } : {};
    return {
      workflow,
      target,
      args,
      request_id,
      issued_at,
      ...dry_run,
      ...(flags.reason === undefined ? {} : { reason: flags.reason }),
      ...(flags.wait === undefined ? {} : { wait_s: waitSeconds(flags.wait) }),
    };
  });
  const asked: Asked[] = [];
  for (const body of bodies) asked.push(await ask(io, api, body, flags, bodies.length));
  const ended = flags.wait !== undefined || flags.watch === true ? await awaitAll(io, api, asked, flags) : asked;
  if (flags.output === 'json') printDocument(io, { requests: ended.map(toJson) });
  if (flags.output === 'jsonl') for (const one of ended) say(io, printableJson(toJson(one), 0));
  return gravest(ended.map(exitOf));
}

/** `--wait` alone waits for limits a day: what does not free in that time is for a person to look at. */
const LONGEST_WAIT_S = 86_400;
const waitSeconds = (wait: number | true): number =>
  wait === true ? LONGEST_WAIT_S : Math.min(LONGEST_WAIT_S, Math.ceil(wait / 1000));

/** Asks once. With a single request an error ends the command; with several it is one of the results. */
async function ask(io: Io, api: CoordinatorApi, body: ApiRequest, flags: RunFlags, of: number): Promise<Asked> {
  const { target } = body;
  try {
    const decision = await api.request(body);
    if (flags.output === 'table' || flags.output === 'wide')
      for (const line of decisionLines(io, decision, of > 1 ? target : null)) say(io, line);
    return { target, decision, error: null, execution: null };
  } catch (thrown) {
    const error = withRequestId(thrown, body.request_id ?? '');
    if (of === 1 || io.signal.aborted || !(error instanceof CommandError)) throw error;
    note(io, `fettle: ${printable(`${targetText(target)}: ${error.message}`)}; try: ${error.next}`);
    return { target, decision: null, error, execution: null };
  }
}

/** An answer that never came says nothing about what was decided; the same id finds it out and does nothing twice. */
function withRequestId(error: unknown, id: string): unknown {
  if (!(error instanceof CommandError) || !(error.cause instanceof CoordinatorUnreachableError)) return error;
  const text = `${error.message}; if it was taken all the same, the same command with --request-id ${id} tells`;
  return new CommandError(error.exit, text, error.next, { cause: error.cause });
}

/** Follows all that were admitted at once; the time allowed is for all of them together. */
function awaitAll(io: Io, api: CoordinatorApi, asked: readonly Asked[], flags: RunFlags): Promise<Asked[]> {
  const timeoutMs = typeof flags.wait === 'number' ? flags.wait : null;
  const print = flags.watch === true ? eventPrinter(io, flags) : () => {};
  const quiet = flags.output === 'json' || flags.output === 'jsonl';
  const one = async (item: Asked): Promise<Asked> => {
    const { decision } = item;
    if (decision === null || decision.decision === 'refused' || decision.decision === 'shadow') return item;
    let id = decision.decision === 'pending' ? decision.pending : decision.execution;
    const began = io.now();
    try {
      if (decision.decision === 'pending') id = await awaitPending(io, api, id, { timeoutMs });
      if (flags.watch !== true) note(io, `Waiting for ${printable(id)}.`);
      const execution = await follow(io, api, id, { timeoutMs: left(io, timeoutMs, began), onEvent: print });
      if (!quiet) say(io, outcomeLine(io, execution));
      return { ...item, execution };
    } catch (error) {
      if (error instanceof PendingEndedError) {
        if (!quiet) say(io, `${printable(id)}  ${printable(error.message)}`);
        return { ...item, error: error.exit === EXIT.ok ? null : error };
      }
      if (!(error instanceof CommandError)) throw error;
      note(io, `fettle: ${printable(`${id}: ${error.message}`)}; try: ${error.next}`);
      return { ...item, error };
    }
  };
  return Promise.all(asked.map(one));
}

/** What is left of the time allowed once a wait for limits is over. */
const left = (io: Io, timeoutMs: number | null, began: number): number | null =>
  timeoutMs === null ? null : Math.max(1, timeoutMs - (io.now() - began));

function exitOf({ decision, error, execution }: Asked): ExitCode {
  if (error !== null) return error.exit;
  if (decision?.decision === 'refused') return EXIT.refused;
  if (decision?.decision === 'shadow') return decision.would === 'refused' ? EXIT.refused : EXIT.ok;
  return execution === null ? EXIT.ok : outcomeExit(execution.outcome);
}

/** What was decided, and for a refusal every limit that stands against it. */
function decisionLines(io: Io, decision: ApiDecision, target: ApiTarget | null): string[] {
  const colour = (style: 'green' | 'yellow' | 'red', text: string): string =>
    wantsColour(io) ? styleText(style, text, { validateStream: false }) : text;
  const name = target === null ? '' : `${printable(targetText(target))}: `;
  if (decision.decision === 'admitted')
    return [`${name}${colour('green', 'admitted')}  ${printable(decision.execution)}`];
  if (decision.decision === 'duplicate') {
    return [`${name}${colour('yellow', 'duplicate')}  ${printable(decision.execution)} does this already`];
  }
  const reasons = decision.reasons.map((reason) => `  ${printable(reasonText(reason))}`);
  if (decision.decision === 'pending')
    return [
      `${name}${colour('yellow', 'pending')}  ${printable(decision.pending)}: ${printable(decision.message)}`,
      ...reasons,
    ];
  if (decision.decision === 'shadow')
    return [
      `${name}${colour('yellow', 'shadow')}, nothing runs; would be ${decision.would}: ${printable(decision.message)}`,
      ...reasons,
    ];
  const why = `${name}${colour('red', 'refused')} (${printable(decision.code)}): ${printable(decision.message)}`;
  return [why, ...reasons];
}

const targetText = (target: ApiTarget): string =>
  'node' in target
    ? target.node
    : 'node_type' in target
      ? [target.node_type, target.datacenter].filter(Boolean).join(' in ')
      : target.datacenter;

const toJson = ({ target, decision, error, execution }: Asked): unknown => ({
  target,
  decision,
  error: error === null ? null : { message: error.message, exit: error.exit },
  execution,
});
