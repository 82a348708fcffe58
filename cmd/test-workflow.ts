/** `fettle test WORKFLOW`: the workflow's own code, run to its end without a fleet; time is skipped. */
import { styleText } from 'node:util';
import { loadWorkflows } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import { checkArguments } from '../coordinator/arguments.ts';
import { shortDigestOf } from '../coordinator/digest.ts';
import {
  type ArgValue,
  executionId,
  PROTOCOL,
  targetName,
  type ExecutionInput,
  type ExecutionResult,
  type Outcome,
  type Plan,
  type Target,
  type WorkflowDefinition,
} from '../workflows/contract.ts';
import { parseArguments } from './arguments.ts';
import { outcomeStyle } from './execution-text.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import { createFakeFleet, type FakeFleet, type TestEvent } from './fake-fleet.ts';
import { parseFakes, type Fakes } from './fakes.ts';
import type { OutputOption } from './fettle-command.ts';
import { type Io, note, say, wantsColour } from './io.ts';
import { KNOWN } from './known.ts';
import { printDocument, printList } from './list-output.ts';
import { argumentsText } from './pending-text.ts';
import { printable } from './printable.ts';
import type { Column } from './table.ts';
import { formatDuration } from './time-text.ts';
import { runInSandbox } from './workflow-sandbox.ts';

export type TestFlags = OutputOption & {
  readonly node?: string;
  readonly nodeType?: string;
  readonly datacenter?: string;
  readonly arg?: readonly string[];
  readonly fake?: readonly string[];
  readonly fact?: readonly string[];
  readonly dryRun?: true;
  readonly expect?: Outcome;
};

export async function testWorkflow(io: Io, file: string, flags: TestFlags): Promise<ExitCode> {
  const fakes = parseFakes(flags.fake ?? [], flags.fact ?? []);
  const definition = await definitionOf(io, file);
  if (definition === null) return EXIT.invalidConfig;
  if (definition.steps.length > 0) checkNames(fakes, stepNames(definition));
  const input = inputOf(planOf(definition, flags), flags, io.now());
  const fleet = createFakeFleet(fakes, input.startBy, nodeOf(input.plan.target));
  const { result, endedAt } = await runInSandbox({
    type: definition.steps.length === 0 ? definition.name : 'runbook',
    id: input.execution,
    input,
    startedAt: input.startBy,
    answer: fleet.answer,
  });
  if (definition.steps.length === 0) checkNames(fakes, [...fleet.seen]);
  const expected = flags.expect ?? (flags.dryRun === true ? 'dry_run' : 'healed');
  const ended = result as ExecutionResult;
  report(io, { input, fleet, ended, tookMs: endedAt - input.startBy, expected }, flags);
  return ended.outcome === expected ? EXIT.ok : EXIT.unsuccessful;
}

/** Null after its problems were told. */
async function definitionOf(io: Io, file: string): Promise<WorkflowDefinition | null> {
  if (!file.endsWith('.hcl'))
    throw new CommandError(
      EXIT.usage,
      `${JSON.stringify(file)} is no workflow file`,
      `fettle test workflows.d/${file}.hcl`,
    );
  const { config, problems } = await loadWorkflows([file], { ...KNOWN, hasInventory: true });
  for (const problem of problems) note(io, printable(formatProblem(problem)));
  return config?.[0]?.definition ?? null;
}

const stepNames = ({ steps, undo, onFailure, verify }: WorkflowDefinition): string[] => [
  ...[...steps, ...undo, ...(onFailure?.steps ?? [])].map(({ name }) => name),
  ...(verify === null ? [] : ['verify']),
];

/** A fake of a step that there is not would let a test pass that tests nothing. */
function checkNames({ steps }: Fakes, known: readonly string[]): void {
  const unknown = steps.find((step) => !known.includes(step));
  if (unknown === undefined) return;
  throw new CommandError(
    EXIT.usage,
    `there is no step ${unknown}; there are ${known.join(', ')}`,
    'fettle test --help',
  );
}

function planOf(definition: WorkflowDefinition, flags: TestFlags): Plan {
  const checked = checkArguments(definition.inputs, parseArguments(flags.arg ?? []));
  if ('problems' in checked) {
    const said = checked.problems.map(({ argument, message }) => `${argument}: ${message}`).join('; ');
    throw new CommandError(EXIT.usage, `arguments of ${definition.name}: ${said}`, 'fettle test --help');
  }
  return { definition, args: checked.args, target: targetOf(definition, flags) };
}

/** A node, unless the workflow may heal a type or a datacenter as a whole and no node was named. */
function targetOf({ taskQueueTarget }: WorkflowDefinition, { node, nodeType, datacenter = 'dc1' }: TestFlags): Target {
  if (taskQueueTarget.kind === 'node' || node !== undefined) {
    const type = nodeType ?? 'any';
    return { kind: 'node', node: node ?? `${type}-1`, nodeType: type, datacenter, labels: {} };
  }
  return nodeType === undefined ? { kind: 'datacenter', datacenter } : { kind: 'node_type', nodeType, datacenter };
}

const nodeOf = (target: Target): string => (target.kind === 'node' ? target.node : 'whoever-claims-it');

function inputOf(plan: Plan, { dryRun }: TestFlags, now: number): ExecutionInput {
  const lease = { epoch: 1, n: 1 };
  const evidence = { summary: 'a test', source: 'fettle test', observedAt: now, validUntil: now + 900_000, labels: {} };
  return {
    protocol: PROTOCOL,
    domain: 'test',
    execution: executionId(plan.definition.name, targetName(plan.target), lease),
    lease,
    startBy: now,
    plan,
    planDigest: shortDigestOf(plan),
    request: 'test',
    caller: 'fettle test',
    reason: null,
    evidence,
    episode: null,
    dryRun: dryRun === true,
  };
}

type Tested = {
  readonly input: ExecutionInput;
  readonly fleet: FakeFleet;
  readonly ended: ExecutionResult;
  readonly tookMs: number;
  readonly expected: Outcome;
};

function report(io: Io, { input, fleet, ended, tookMs, expected }: Tested, { output }: OutputOption): void {
  const { plan, dryRun } = input;
  const { outcome, message, verified, steps } = ended;
  if (output === 'json') {
    const test = {
      workflow: plan.definition.name,
      target: plan.target,
      args: plan.args,
      dry_run: dryRun,
      outcome,
      expected,
      message,
      verified,
      took_ms: tookMs,
      events: fleet.events,
      steps,
    };
    return printDocument(io, { test });
  }
  printList(io, {
    format: output,
    name: 'events',
    rows: folded(fleet.events.filter(({ what }) => what !== 'release')),
    columns: COLUMNS,
    empty: 'nothing was asked of anybody',
  });
  if (output === 'jsonl') return;
  const painted = wantsColour(io)
    ? styleText(outcomeStyle({ state: 'closed', outcome }), outcome, { validateStream: false })
    : outcome;
  say(io, '');
  say(io, `${painted} after ${formatDuration(tookMs)} of its own time: ${printable(message)}`);
  note(
    io,
    `${plan.definition.name} on ${targetName(plan.target)}, ${argumentsText(plan.args)}: every step, source and person was faked.`,
  );
  if (outcome !== expected) note(io, `Expected ${expected}. For another end say so: --expect ${outcome}`);
}

type Row = TestEvent & { readonly times: number };

/** The same again and again, while a refusal lasts or a look disagrees, is one row. */
function folded(events: readonly TestEvent[]): Row[] {
  const rows: Row[] = [];
  for (const event of events) {
    const last = rows.at(-1);
    const same =
      last !== undefined && last.step === event.step && last.what === event.what && last.status === event.status;
    const repeats = same && (event.what === 'look' || last.attempt === event.attempt);
    if (repeats) rows[rows.length - 1] = { ...last, times: last.times + 1 };
    else rows.push({ ...event, times: 1 });
  }
  return rows;
}

const COLUMNS: readonly Column<Row>[] = [
  { header: 'AFTER', value: (row) => formatDuration(row.at_ms), cut: 0, right: true },
  { header: 'WHAT', value: (row) => row.what, cut: 1 },
  { header: 'STEP', value: stepText, cut: 2 },
  {
    header: 'RESULT',
    value: (row) => row.status + (row.times > 1 ? ` x${row.times}` : ''),
    cut: 3,
    style: ({ status }) => (BAD.test(status) ? 'red' : null),
  },
  {
    header: 'ACTION',
    value: (row) => [row.action ?? '', ...Object.entries(row.args).map(argText)].join(' ').trim() || '-',
    cut: 4,
  },
  { header: 'SAYS', value: (row) => row.message || '-', cut: 5 },
];
const BAD = /^(?:failed|refused|unknown|unsettled|no_permit|unhealthy)/;

function stepText({ step, attempt }: Row): string {
  if (step === null) return '-';
  return attempt === null || attempt === 1 ? step : `${step}#${attempt}`;
}

const argText = ([name, value]: [string, ArgValue]): string =>
  `${name}=${typeof value === 'object' ? JSON.stringify(value) : value}`;
