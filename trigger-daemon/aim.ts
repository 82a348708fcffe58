/** From a fault's labels to what is asked for: target and arguments by template. Labels are hostile text. */
import type { TriggerConfig } from '../config/trigger-daemon.ts';
import type { ApiTarget } from '../workflows/api.ts';
import type { ArgResolved, ArgValue, Args, Template, Text } from '../workflows/contract.ts';

export type Labels = Readonly<Record<string, string>>;
export type Aim =
  | { readonly ok: true; readonly target: ApiTarget; readonly args: Args }
  /** Nothing can be asked for; `problem` says what is missing and what to change. */
  | { readonly ok: false; readonly problem: string };

class LabelMissing extends Error {
  override readonly name = 'LabelMissing';
}

/** What a coordinator takes for a name. Said here, where the label is known: `instance` with its port is the usual mistake. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** What this trigger asks for when it holds for these labels. A missing or empty label is a refusal, never "all". */
export function aimAt(trigger: TriggerConfig, labels: Labels): Aim {
  try {
    const value = fillText(trigger.target.value, labels);
    if (value.trim() === '')
      return refuse(`the target ${trigger.target.kind} is empty; give the series a label that names it`);
    if (!NAME.test(value)) {
      const shown = JSON.stringify(value.slice(0, 80));
      return refuse(
        `the target ${trigger.target.kind} ${shown} is not a name (1-128 of A-Z a-z 0-9 . _ -); use a label that holds just the name`,
      );
    }
    const args = Object.fromEntries(Object.entries(trigger.args).map(([name, arg]) => [name, fillArg(arg, labels)]));
    return { ok: true, target: targetOf(trigger.target.kind, value), args };
  } catch (error) {
    if (error instanceof LabelMissing) return refuse(error.message);
    throw error;
  }
}

const refuse = (problem: string): Aim => ({ ok: false, problem });

function targetOf(kind: TriggerConfig['target']['kind'], value: string): ApiTarget {
  if (kind === 'node') return { node: value };
  return kind === 'node_type' ? { node_type: value } : { datacenter: value };
}

function fillText(text: Text, labels: Labels): string {
  return typeof text === 'string' ? text : fillTemplate(text, labels);
}

function fillArg(arg: ArgValue, labels: Labels): ArgResolved {
  if (typeof arg !== 'object') return arg;
  return 'template' in arg ? fillTemplate(arg, labels) : arg.map((one) => fillArg(one, labels));
}

function fillTemplate(text: Template, labels: Labels): string {
  return text.template.map((part) => (typeof part === 'string' ? part : labelOf(part.ref, labels))).join('');
}

function labelOf(ref: string, labels: Labels): string {
  const name = ref.startsWith('labels.') ? ref.slice('labels.'.length) : null;
  if (name === null) throw new LabelMissing(`\${${ref}} has no value in a trigger; only \${labels.NAME} has`);
  // An empty label and an absent one are the same thing to Prometheus.
  const value = Object.hasOwn(labels, name) ? labels[name] : undefined;
  if (value === undefined || value === '') {
    throw new LabelMissing(
      `the series has no label "${name}"; keep it in the query, e.g. with by (${name}), or name the target otherwise`,
    );
  }
  return value;
}
