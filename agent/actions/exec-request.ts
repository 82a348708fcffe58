import type { HttpCommand } from '../../config/commands.ts';
import { createOutputTail } from '../output-tail.ts';
import { withoutSecrets } from '../secrets.ts';
import { type ActionEnd, type ActionHost, type ActionRun, factsOnly, type PreparedAction } from './action.ts';
import { cutShort, failed, within } from './ending.ts';
import { type Inputs, limitsOf, refuse, SLOT } from './exec-inputs.ts';
import { readSecrets } from './exec-secrets.ts';
import { type HttpAnswer, httpRequest } from './http-request.ts';

type Secrets = Readonly<Record<string, string>>;

/** A request to an address of which the caller chooses no more than its definition leaves open. */
export function requestCommand(definition: HttpCommand, inputs: Inputs, host: ActionHost): PreparedAction {
  const url = fillUrl(definition, inputs);
  /** A secret among the arguments stands in the address as it was encoded. */
  const factsFor = (secrets: readonly string[]) => ({
    command: definition.name,
    method: definition.method,
    url: withoutSecrets(url, spellings(secrets)),
  });
  const hidden: Secrets = Object.fromEntries(Object.keys(definition.secrets).map((variable) => [variable, '[secret]']));
  // What is wrong with an input shows now.
  const shown = fillRest(definition, inputs, hidden);
  return {
    admit: async () => void fillRest(definition, inputs, await readSecrets(definition, host.secretsDir)),
    async rehearse({ secrets }) {
      const headers = Object.entries(shown.headers).map(([name, value]) => `${name}: ${value}`);
      const lines = [
        `would send ${definition.method} ${url}`,
        ...headers,
        ...(shown.body === null ? [] : ['', shown.body]),
      ];
      return factsOnly(factsFor(secrets), withoutSecrets(lines.join('\n'), spellings(secrets)));
    },
    async run(run) {
      const facts = factsFor(run.secrets);
      try {
        const secrets = await readSecrets(definition, host.secretsDir);
        const rest = fillRest(definition, inputs, secrets);
        const hide = spellings([...Object.values(secrets), ...run.secrets]);
        return await send({ definition, url, facts, secrets: hide, ...rest }, run);
      } catch (error) {
        return failed('spawn', (error as Error).message, factsOnly(facts));
      }
    },
    worksOn: async () => false,
    limits: limitsOf(definition),
  };
}

type Rest = { readonly headers: Readonly<Record<string, string>>; readonly body: string | null };
type Sending = Rest & {
  readonly definition: HttpCommand;
  readonly url: string;
  readonly facts: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
};

async function send({ definition, url, facts, secrets, headers, body }: Sending, run: ActionRun): Promise<ActionEnd> {
  const { method, timeoutMs } = definition;
  const signal = within(run, timeoutMs);
  const output = factsOnly(facts);
  try {
    const answer = await httpRequest({ url, method, headers, body, trusted: true, signal });
    return judged(answer, definition, facts, secrets);
  } catch (error) {
    const limit = Math.min(run.timeoutMs, timeoutMs);
    if (run.signal.aborted)
      return failed('cancelled', 'the request was called off; the other side may have acted', output);
    if (signal.aborted)
      return failed(cutShort(run), `no answer within ${limit} ms; the other side may have acted all the same`, output);
    return failed('exit', `no answer (${(error as NodeJS.ErrnoException).code ?? 'error'})`, output);
  }
}

function judged(
  answer: HttpAnswer,
  definition: HttpCommand,
  facts: Sending['facts'],
  secrets: readonly string[],
): ActionEnd {
  const { status, latencyMs, body } = answer;
  const kept = createOutputTail(secrets);
  kept.stream()(body);
  const output = { facts: { ...facts, status, latency_ms: latencyMs }, exitCode: null, ...kept.finish() };
  const { expectStatus } = definition;
  if (expectStatus === null ? status >= 200 && status <= 299 : expectStatus.includes(status))
    return { status: 'done', output };
  const wanted = expectStatus === null ? '200 to 299' : expectStatus.join(', ');
  return failed('exit', `the answer has status ${status}, and ${wanted} would be good`, output);
}

/** Each value stands within one part of the path or query; none leads out of it. */
function fillUrl({ name, url }: HttpCommand, inputs: Inputs): string {
  const filled = url.replaceAll(SLOT, (_slot, slot: string) => encodeURIComponent(valueOf(name, inputs, slot)));
  const path = filled.replace(/^https?:\/\/[^/?]*/, '').replace(/\?.*$/s, '');
  const [before, after] = [url, filled].map((text) => text.split('/').length);
  if (before !== after || path.split('/').some((part) => part === '.' || part === '..'))
    throw refuse(`an input of command ${name} would lead elsewhere: a part of the path cannot be . or ..`);
  return filled;
}

function fillRest({ name, headers, body }: HttpCommand, inputs: Inputs, secrets: Secrets): Rest {
  const value = (slot: string): string => (Object.hasOwn(secrets, slot) ? secrets[slot]! : valueOf(name, inputs, slot));
  const filled = Object.entries(headers).map(([header, text]) => {
    const whole = text.replaceAll(SLOT, (_slot, slot: string) => value(slot));
    if (/[^\t -~]/.test(whole))
      throw refuse(`header ${header} of command ${name} would hold more than plain characters`);
    return [header, whole] as const;
  });
  const type = filled.find(([header]) => header.toLowerCase() === 'content-type')?.[1] ?? '';
  const escape = escapeFor(type);
  const text = body?.replaceAll(SLOT, (_slot, slot: string) => escape(value(slot))) ?? null;
  return { headers: Object.fromEntries(filled), body: text };
}

/** As a secret may come back: as it is, as a part of an address, within JSON. */
const spellings = (secrets: readonly string[]): string[] => [
  ...new Set(secrets.flatMap((secret) => [secret, ...[encodeURIComponent, inJson].map((spell) => spell(secret))])),
];
const inJson = (value: string): string => JSON.stringify(value).slice(1, -1);

/** A value never ends the text or the field that it stands in. */
function escapeFor(type: string): (value: string) => string {
  if (/\bjson\b/i.test(type)) return inJson;
  if (/x-www-form-urlencoded/i.test(type)) return encodeURIComponent;
  return (value) => value;
}

function valueOf(command: string, inputs: Inputs, slot: string): string {
  const input = inputs.get(slot);
  if (input === undefined) throw refuse(`command ${command} has the slot {${slot}} but no such input`);
  return input.value;
}
