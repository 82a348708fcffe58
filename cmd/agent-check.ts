import { styleText } from 'node:util';
import { rulesOf } from '../agent/action-host.ts';
import type { Cap } from '../agent/caps.ts';
import { type Check, checkOrder, type OrderCheck } from '../agent/check-order.ts';
import { formatProblem } from '../config/problem.ts';
import type { Args } from '../workflows/contract.ts';
import { AGENT_FILE, type AgentFiles, loadAgentFiles } from './agent-files.ts';
import { parseArguments } from './arguments.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import { type Io, note, say, wantsColour } from './io.ts';
import { printDocument } from './list-output.ts';
import { printable } from './printable.ts';
import { VERSION } from './version.ts';

export type AgentCheckFlags = {
  readonly config?: readonly string[];
  readonly arg?: readonly string[];
  readonly output: 'table' | 'json';
};

/** `fettle agent check ACTION [--arg name=value...]`: what this host would answer, and why; 0 or 6. */
export async function agentCheck(io: Io, action: string, flags: AgentCheckFlags): Promise<ExitCode> {
  const args = parseArguments(flags.arg ?? []) as Args;
  const files = await loaded(io, flags.config ?? [AGENT_FILE]);
  const { config, commands } = files;
  const rules = rulesOf(config, commands);
  const check = await checkOrder({ config, rules, version: VERSION, signal: io.signal }, action, args);
  if (flags.output === 'json') printDocument(io, { check: documentOf(action, check) });
  else for (const line of lines(io, action, check)) say(io, line);
  return check.allowed ? EXIT.ok : EXIT.refused;
}

async function loaded(io: Io, paths: readonly string[]): Promise<AgentFiles> {
  const { config, problems } = await loadAgentFiles(paths, io.env);
  for (const problem of problems) note(io, printable(formatProblem(problem)));
  if (config !== null) return config;
  throw new CommandError(
    EXIT.invalidConfig,
    'with this configuration the agent would not start',
    `fettle validate ${paths.join(' ')}`,
  );
}

function lines(io: Io, action: string, { allowed, checks, rehearsal }: OrderCheck): string[] {
  const paint = (colour: 'green' | 'red', text: string): string =>
    wantsColour(io) ? styleText(colour, text, { validateStream: false }) : text;
  const width = Math.max(...checks.map(({ name }) => name.length));
  const line = ({ name, refusal, found }: Check): string =>
    refusal === null
      ? `  ${name.padEnd(width)}  ${paint('green', 'ok')}       ${printable(found)}`
      : `  ${name.padEnd(width)}  ${paint('red', 'refused')}  ${printable(`${refusal.code}: ${refusal.message}`)}`;
  const word = allowed ? paint('green', 'allowed') : paint('red', 'refused');
  const would =
    rehearsal === null
      ? []
      : [
          '',
          ...rehearsal
            .trimEnd()
            .split('\n')
            .map((text) => printable(text)),
        ];
  return [`${word}  ${printable(action)}`, ...checks.map(line), ...would];
}

const documentOf = (action: string, { allowed, checks, caps, rehearsal }: OrderCheck): unknown => ({
  action,
  allowed,
  checks: checks.map(({ name, refusal, found }) => ({
    name,
    ok: refusal === null,
    code: refusal?.code ?? null,
    found: refusal?.message ?? found,
  })),
  caps: caps.map(({ place, kind, limit, used, freeInMs }: Cap) => ({
    file: place.file,
    line: place.line,
    kind,
    limit,
    used,
    free_in_s: freeInMs === null ? null : Math.ceil(freeInMs / 1000),
  })),
  rehearsal,
});
