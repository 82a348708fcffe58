/** Names of our things, each with what may stand in it. */
import { didYouMean } from './did-you-mean.ts';
import type { ValueType } from './schema.ts';
import { parsed, refuse } from './value-reading.ts';
import type { WorkflowConfig } from './workflow.ts';

/** A name of ours: `what` names it, `pattern` must fit the whole, `write` says what fits. */
export const name = (what: string, pattern: RegExp, write: string): ValueType<string> =>
  parsed(what, `a ${what} in quotes`, (given) =>
    given.length <= 200 && pattern.test(given) ? given : refuse(given, `is no ${what}; write ${write}`),
  );

/** Names of blocks, steps, rules, sources. */
export const word: ValueType<string> = name('name', /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/, 'letters, digits, _ . and -');
export const workflowName: ValueType<string> = name(
  'workflow name',
  /^[a-z][a-z0-9-]{0,63}$/,
  'a-z, 0-9 and -, beginning with a letter',
);
/** What may stand in a task queue's name or a SPIFFE path for a node, node type or datacenter. */
export const placeName: ValueType<string> = name(
  'place name',
  /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}$/,
  'A-Z a-z 0-9 . _ and -',
);
/** As systemd writes it into /etc/machine-id; other systems have other forms. */
export const machineId: ValueType<string> = name(
  'machine id',
  /^[A-Za-z0-9._-]{8,64}$/,
  'the content of /etc/machine-id, 32 hexadecimal digits',
);
export const labelName: ValueType<string> = name(
  'label name',
  /^(?!__proto__$)[A-Za-z_][A-Za-z0-9_]*$/,
  'letters, digits and _',
);
export const inputName: ValueType<string> = name(
  'input name',
  /^(?!__proto__$)[A-Za-z_][A-Za-z0-9_-]{0,63}$/,
  'letters, digits, _ and -',
);
export const trustDomain: ValueType<string> = name(
  'trust domain',
  /^[a-z0-9._-]{1,255}$/,
  'a-z 0-9 . _ -, e.g. "example.com"',
);
export const sourceRef: ValueType<string> = name(
  'source',
  /^prometheus\.[A-Za-z0-9_-]+$/,
  'the address of a source block, e.g. "prometheus.main"',
);

/** `task_queue_target` */
export const taskQueueTarget: ValueType<WorkflowConfig['definition']['taskQueueTarget']> = parsed(
  '"node" | "node_type" | "node_type:TYPE" | "general"',
  'one of "node", "node_type", "node_type:TYPE", "general"',
  (given) => {
    if (given === 'general' || given === 'node') return { kind: given };
    if (given === 'node_type') return { kind: given, type: null };
    const type = /^node_type:((?!\.{1,2}$)[A-Za-z0-9._-]{1,128})$/.exec(given)?.[1];
    if (type !== undefined) return { kind: 'node_type', type };
    return refuse(
      given,
      `is no target${given.includes(':') ? '; write "node_type:TYPE", with A-Z a-z 0-9 . _ - in TYPE' : didYouMean(given, ['node', 'node_type', 'general'])}`,
    );
  },
);
