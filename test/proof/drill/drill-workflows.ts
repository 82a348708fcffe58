/** What the drill runs: a workflow for each kind of limit, actions that are quick, slow, failing, or outlive their timeout. */
import type { SiteNode } from '../../support/site.ts';

/** With an agent each. */
export const AGENTS: readonly SiteNode[] = [
  { name: 'web-1', type: 'web', labels: { rack: 'r1' } },
  { name: 'web-2', type: 'web', labels: { rack: 'r2' } },
  { name: 'web-3', type: 'web', labels: { rack: 'r3' } },
  { name: 'db-1', type: 'db', labels: { rack: 'r1' } },
];
/** Healed from afar, by whichever agent takes the step. */
export const SPARES: readonly SiteNode[] = Array.from({ length: 8 }, (_, index) => ({
  name: `spare-${index}`,
  type: 'spare',
  labels: { rack: `r${1 + (index % 3)}` },
}));

const step = (command: string, timeout: string, more = ''): string => `
input "mark" {
  pattern = "[a-z0-9-]+"
}
step "act" {
  action  = "exec"
  args    = { command = "${command}", mark = "\${input.mark}", step = "act", node = "\${target.node}" }
  timeout = "${timeout}"
  ${more}
}
`;

type Attributes = Readonly<Record<string, string | number | readonly string[]>>;
const block = (head: string, attributes: Attributes): string => {
  const lines = Object.entries(attributes).map(([key, value]) => `  ${key} = ${JSON.stringify(value)}`);
  return `${head} {\n${lines.join('\n')}\n}\n`;
};
const constraint = (attributes: Attributes): string => block('constraint', attributes);
const FROM_AFAR = 'task_queue_target = "general"\n';

export type DrillWorkflow = { readonly hcl: string; readonly targets: readonly string[]; readonly weight: number };
const names = (nodes: readonly SiteNode[]): string[] => nodes.map(({ name }) => name);

export const WORKFLOWS: Readonly<Record<string, DrillWorkflow>> = {
  single: {
    hcl: constraint({ kind: 'concurrency', value: 1 }) + step('work', '20s'),
    targets: names(AGENTS),
    weight: 3,
  },
  paced: {
    hcl:
      FROM_AFAR + constraint({ kind: 'maxExecution', value: 8, period: '30s', scope: 'global' }) + step('work', '20s'),
    targets: names(SPARES),
    weight: 4,
  },
  pair: {
    hcl:
      FROM_AFAR +
      constraint({ kind: 'concurrency', value: 2, period: '8s', scope: 'label:rack' }) +
      step('work', '20s'),
    targets: names(SPARES),
    weight: 4,
  },
  slow: {
    hcl: constraint({ kind: 'concurrency', value: 2, scope: 'global' }) + step('slow', '30s'),
    targets: names(AGENTS),
    weight: 1,
  },
  stubborn: {
    hcl: FROM_AFAR + constraint({ kind: 'concurrency', value: 1, scope: 'global' }) + step('stubborn', '2s'),
    targets: names(SPARES),
    weight: 1,
  },
  failing: {
    hcl:
      FROM_AFAR +
      constraint({ kind: 'maxIneffective', value: 3 }) +
      constraint({ kind: 'maxExecution', value: 4, period: '20s', scope: 'node_type' }) +
      step('fail', '10s', 'retry = { attempts = 2, wait = "200ms" }'),
    targets: names(SPARES),
    weight: 2,
  },
  cooling: {
    hcl: FROM_AFAR + constraint({ kind: 'cooldown', period: '10s' }) + step('work', '20s'),
    targets: names(SPARES),
    weight: 3,
  },
  asked: {
    hcl: FROM_AFAR + 'mode = "ask"\napprove_within = "30s"\n' + step('work', '20s'),
    targets: names(SPARES),
    weight: 1,
  },
  rehearsed: {
    hcl: FROM_AFAR + 'mode = "shadow"\n' + constraint({ kind: 'concurrency', value: 1 }) + step('work', '20s'),
    targets: names(SPARES),
    weight: 1,
  },
  floored: {
    hcl: constraint({ kind: 'maxUnavailable', value: '50%' }) + step('work', '20s'),
    targets: names(AGENTS.filter(({ type }) => type === 'web')),
    weight: 2,
  },
};

/** Limits over several workflows, for the coordinator's file. */
export const FLEET_LIMITS =
  block('limit "at-once"', {
    kind: 'concurrency',
    value: 6,
    workflows: ['single', 'paced', 'pair', 'slow', 'cooling', 'floored'],
  }) + block('limit "rack"', { kind: 'concurrency', value: 3, scope: 'label:rack', workflows: ['*'] });

/** Each command says in the file when it begins and when it ends; one write of one line each, so that none is torn. */
export function actionsText(dir: string, effects: string): string {
  const say = (phase: string): string =>
    `printf '{"mark":"%s","step":"%s","node":"%s","phase":"${phase}","at":%s,"pid":%s}\\n' "$1" "$2" "$3" "$(date +%s%3N)" "$$" >> ${effects}`;
  // What outlives everything else ends when the drill's own folder is gone.
  const wait = (tenths: number): string =>
    `i=0; while [ $i -lt ${tenths} ] && [ -d ${dir} ]; do i=$((i+1)); sleep 0.1; done`;
  const scripts: Readonly<Record<string, string>> = {
    work: `${say('begin')}; ${wait(4)}; ${say('end')}`,
    slow: `${say('begin')}; ${wait(60)}; ${say('end')}`,
    fail: `${say('begin')}; ${say('end')}; exit 1`,
    stubborn: `trap '' TERM; ${say('begin')}; ${wait(200)}; ${say('end')}`,
  };
  return Object.entries(scripts)
    .map(([name, script]) => {
      const argv = ['/bin/sh', '-c', script, 'sh', '{mark}', '{step}', '{node}'];
      const inputs = ['mark', 'step', 'node'].map((input) => `  input "${input}" {\n    pattern = "[a-z0-9-]+"\n  }\n`);
      return `command "${name}" {\n  argv    = ${JSON.stringify(argv)}\n  timeout = "60s"\n${inputs.join('')}}\n`;
    })
    .join('');
}
