/** What `fettle test` is told about how steps end: `--fake STEP=RESULT[,RESULT...]` and `--fact STEP.NAME=VALUE`. */
import type { Scalar, StepResult } from '../workflows/contract.ts';
import { parseArguments } from './arguments.ts';
import { CommandError, EXIT } from './exit-code.ts';
import { FAKE_WORDS } from './outcome-words.ts';

type FakeWord = (typeof FAKE_WORDS)[number];
export type Fake = { readonly word: FakeWord; readonly code: string | null };

export type Fakes = {
  /** How an attempt (or look) of a step ends; null when nothing was said of the step. The last one said holds for all further ones. */
  readonly of: (step: string, attempt: number) => Fake | null;
  readonly facts: (step: string) => Readonly<Record<string, Scalar>>;
  readonly steps: readonly string[];
};

const STEP = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}';

/** @throws CommandError naming what cannot be understood. */
export function parseFakes(fakes: readonly string[], facts: readonly string[]): Fakes {
  const results = new Map<string, readonly Fake[]>();
  for (const text of fakes) {
    const [, step, said] = new RegExp(`^(${STEP})=(.+)$`, 's').exec(text) ?? [];
    if (step === undefined || said === undefined)
      throw usage(`--fake ${JSON.stringify(text)}: write STEP=RESULT, e.g. restart=failed,done`);
    if (results.has(step))
      throw usage(`--fake ${step} is given twice; write ${step}=RESULT,RESULT for one after the other`);
    results.set(step, said.split(',').map(parseFake));
  }
  const told = new Map<string, Readonly<Record<string, Scalar>>>();
  for (const text of facts) {
    const [, step, rest] = new RegExp(`^(${STEP})\\.([A-Za-z_][A-Za-z0-9_-]*:?=.*)$`, 's').exec(text) ?? [];
    if (step === undefined || rest === undefined)
      throw usage(
        `--fact ${JSON.stringify(text)}: write STEP.NAME=text or STEP.NAME:=json, e.g. look.active_state=failed`,
      );
    told.set(step, { ...told.get(step), ...factsOf(step, rest) });
  }
  return {
    of: (step, attempt) => {
      const said = results.get(step);
      return said === undefined ? null : (said[attempt - 1] ?? said.at(-1) ?? null);
    },
    facts: (step) => told.get(step) ?? {},
    steps: [...new Set([...results.keys(), ...told.keys()])],
  };
}

function parseFake(text: string): Fake {
  const [name = '', code = null] = text.split(':', 2);
  const word = FAKE_WORDS.find((candidate) => candidate === name);
  if (word === undefined)
    throw usage(`--fake: ${JSON.stringify(text)} is no result; write one of ${FAKE_WORDS.join(', ')}`);
  return { word, code };
}

function factsOf(step: string, text: string): Record<string, Scalar> {
  const facts = parseArguments([text]);
  for (const [name, value] of Object.entries(facts))
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
      throw usage(`--fact ${step}.${name}: a fact is one text, number, true or false`);
  return facts as Record<string, Scalar>;
}

const usage = (message: string): CommandError => new CommandError(EXIT.usage, message, 'fettle test --help');

const nothing = { facts: {}, exitCode: null, tail: null, digest: null, bytes: 0 };

/** The result of an act as a coordinator would record it. */
export function resultOf({ word, code }: Fake, facts: Readonly<Record<string, Scalar>>): StepResult {
  const output = { ...nothing, facts };
  const coded = <T>(fallback: T): T => (code ?? fallback) as T;
  switch (word) {
    case 'done':
    case 'healthy':
      return { status: 'done', output };
    case 'failed':
    case 'unhealthy':
      return { status: 'failed', code: coded('exit'), message: 'as faked', output: { ...output, exitCode: 1 } };
    case 'timeout':
      return { status: 'failed', code: 'timeout', message: 'as faked', output };
    case 'cancelled':
      return { status: 'failed', code: 'cancelled', message: 'ended by cancellation', output };
    case 'refused':
      return { status: 'refused', code: coded('action_not_allowed'), message: 'as faked' };
    case 'no_permit':
      return { status: 'no_permit', code: coded('paused'), message: 'as faked' };
    default:
      return { status: word, message: 'as faked' };
  }
}
