/** Every `${input.NAME}` of a workflow against its input blocks. */
import { didYouMean } from './did-you-mean.ts';
import type { HclValue } from './hcl/decode.ts';
import type { Problems } from './problems.ts';
import type { WorkflowSection } from './workflow.ts';

export function checkReferences(section: WorkflowSection, problems: Problems): void {
  const { blocks } = section;
  const failure = blocks.on_failure.flatMap((block) => block.blocks.step);
  for (const step of [...blocks.step, ...blocks.undo, ...failure])
    visit(step.given.get('args'), `${step.path}.args`, section, problems);
  for (const verify of blocks.verify)
    for (const key of ['query', 'args', 'expect'])
      visit(verify.given.get(key), `${verify.path}.${key}`, section, problems);
}

/** Depth is bounded by the scan of the text. */
function visit(value: HclValue | undefined, path: string, section: WorkflowSection, problems: Problems): void {
  if (value?.kind === 'list')
    for (const [index, item] of value.items.entries()) visit(item, `${path}[${index}]`, section, problems);
  if (value?.kind === 'object')
    for (const [key, member] of value.members) visit(member.value, `${path}.${key}`, section, problems);
  if (value?.kind !== 'string') return;
  for (const [index, part] of value.parts.entries()) {
    if (typeof part === 'string' || !part.ref.startsWith('input.')) continue;
    const message = referenceProblem(part.ref.slice('input.'.length), section);
    if (message !== null) problems.error(value.partPlaces[index] ?? value.place, path, message);
  }
}

function referenceProblem(name: string, { blocks }: WorkflowSection): string | null {
  const names = blocks.input.map(({ labels: [label = ''] }) => label);
  const input = blocks.input.find(({ labels }) => labels[0] === name);
  if (input === undefined)
    return `there is no input ${name}${names.length === 0 ? `; write input "${name}" { ... }` : didYouMean(name, names)}`;
  const { required, default: fallback } = input.readable;
  if (required === false && fallback === null)
    return `the input ${name} may be absent, and then this has no value; give it a default, or required = true`;
  return null;
}
