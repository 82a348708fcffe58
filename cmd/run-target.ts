import type { ApiTarget } from '../workflows/api.ts';
import type { CoordinatorApi } from './coordinator-api.ts';
import { CommandError, EXIT } from './exit-code.ts';

export type TargetFlags = {
  readonly node?: string | undefined;
  readonly nodeType?: string | undefined;
  readonly datacenter?: string | undefined;
  readonly max?: number | undefined;
};

export type Targets = {
  readonly targets: readonly ApiTarget[];
  /** What to tell the person before asking; null when the target is just what was typed. */
  readonly note: string | null;
};

/**
 * What to ask for. A node type is one target as a whole, or with `--max` its alive nodes, one request each; nothing ever
 * stands for "all". @throws CommandError
 */
export async function chooseTargets(api: CoordinatorApi, workflow: string, flags: TargetFlags): Promise<Targets> {
  const { node, nodeType, datacenter, max } = flags;
  if (node !== undefined) {
    if (nodeType !== undefined || datacenter !== undefined || max !== undefined) {
      throw usage('--node names one node; leave out --node-type, --datacenter and --max');
    }
    return plainly({ node });
  }
  if (nodeType === undefined) {
    if (max !== undefined) throw usage('--max counts nodes of a type; add --node-type');
    if (datacenter === undefined)
      throw usage('say what to heal: --node NAME, --node-type TYPE --max N, or --datacenter NAME');
    return plainly({ datacenter });
  }
  if (max !== undefined) return expand(api, workflow, nodeType, datacenter, max);
  if (await runsOnNode(api, workflow)) {
    throw usage(`${workflow} heals single nodes; say how many of type ${nodeType} at most: --max N`);
  }
  return plainly(datacenter === undefined ? { node_type: nodeType } : { node_type: nodeType, datacenter });
}

async function expand(
  api: CoordinatorApi,
  workflow: string,
  nodeType: string,
  datacenter: string | undefined,
  max: number,
): Promise<Targets> {
  if (!(await runsOnNode(api, workflow))) {
    throw usage(`${workflow} does not run on single nodes, so --max has nothing to count; leave it out`);
  }
  const ofType = (await api.nodes()).filter(
    (node) => node.node_type === nodeType && (datacenter === undefined || node.datacenter === datacenter),
  );
  const alive = ofType.filter((node) => node.alive).map((node) => node.node);
  const where = datacenter === undefined ? '' : ` in ${datacenter}`;
  if (alive.length === 0) {
    const known = ofType.length === 0 ? 'none is known' : `${ofType.length} known, all down`;
    throw new CommandError(EXIT.failed, `no node of type ${nodeType}${where} is alive: ${known}`, 'fettle nodes');
  }
  const chosen = alive.toSorted().slice(0, max);
  const left =
    alive.length === chosen.length
      ? ''
      : `; ${alive.length - chosen.length} more are alive and not asked for (--max ${max})`;
  return {
    targets: chosen.map((node) => ({ node })),
    note: `${chosen.length} of type ${nodeType}${where}: ${chosen.join(', ')}${left}`,
  };
}

/** @throws CommandError when there is no such workflow */
async function runsOnNode(api: CoordinatorApi, name: string): Promise<boolean> {
  const workflow = (await api.workflows()).find((one) => one.name === name);
  if (workflow === undefined)
    throw new CommandError(EXIT.failed, `there is no workflow ${JSON.stringify(name)}`, 'fettle workflows');
  return workflow.task_queue_target === 'node';
}

const plainly = (target: ApiTarget): Targets => ({ targets: [target], note: null });
const usage = (message: string): CommandError => new CommandError(EXIT.usage, message, 'fettle run --help');
