/** The page of docs that a run of all drills gives. */
import type { DrillResult } from './trial.ts';

export type DrillReport = {
  readonly at: string;
  readonly seed: number;
  /** Whether changes went through the root helper. */
  readonly helper: boolean;
  readonly machine: string;
  readonly drills: readonly DrillResult[];
};

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const row = (cells: readonly (string | number)[]): string =>
  `| ${cells.map((each) => cell(String(each))).join(' | ')} |`;

export function pageOf({ at, seed, helper, machine, drills }: DrillReport): string {
  const sum = (count: (drill: DrillResult) => number): number => drills.reduce((total, each) => total + count(each), 0);
  const counted = drills.map((each) =>
    row([
      each.drill,
      each.orders,
      each.actions,
      each.told,
      Object.entries(each.outcomes)
        .map(([outcome, times]) => `${times} ${outcome}`)
        .join(', '),
      each.twice,
      each.lost,
      each.unexplained,
      each.forged_believed,
    ]),
  );
  const stories = drills.map(({ drill, did, happened, findings }) =>
    [
      `**${drill}**: ${did}.`,
      `${happened}${happened.endsWith('.') ? '' : '.'}`,
      ...findings.map((each) => `Found: ${each}.`),
    ].join('\n'),
  );
  return `${HEAD}
Run of ${at.slice(0, 10)}, seed ${seed}, ${helper ? 'agent and root helper' : 'one process, as root'}: ${machine}.
${sum((each) => each.orders)} orders, ${sum((each) => each.actions)} actions; ${sum((each) => each.twice)} done twice, ${sum((each) => each.lost)} results lost,
${sum((each) => each.unexplained)} unexplained, ${sum((each) => each.forged_believed)} forgeries believed.

${row(['drill', 'orders', 'actions begun', 'ends told', 'outcomes', 'twice', 'lost', 'unexplained', 'believed'])}
|---|---:|---:|---:|---|---:|---:|---:|---:|
${counted.join('\n')}

## What was done, and what happened

${stories.join('\n\n')}
`;
}

const HEAD = `# Failure drills

\`npm run drill:agent\` boots Debian hosts (systemd-nspawn), installs the agent on them as an operator would, lets a real coordinator and a real
Temporal give them orders, and breaks things meanwhile. It writes this page: \`npm run drill:agent -- --seed N --json --write-docs\`. A short part
of it is in \`npm test\`.

Each action writes a line to a file when it begins and one when it ends, so that the host's own count stands beside what the coordinator told:

- *twice*: an action that may run once began more often
- *lost*: an action ended by itself, and neither *done* nor *failed* was told of it
- *unexplained*: the execution has no end, or tells of an action other than what happened, or says *unknown* although nothing ended the action
- *believed*: a forged answer that decided an execution

\`failed (unknown)\` is a right answer when the fault ended the action itself, as a power cut does: a person decides. \`failed (unsettled)\` is
one when the host stayed out of reach; its limits then stay held until it answers.

A power cut here ends every process of the host at once. It does not lose what the kernel had not yet written: that entries of the ledger
are flushed before anything is done (\`agent/durable-file.ts\`) is not shown by it.

What is drilled is the agent with its root helper. Without it (\`--one-process\`, as in containers) an agent that is killed in the middle of an
action cannot know how the action ended: it tells *unknown*, which a person has to look at, and still does nothing twice.

`;
