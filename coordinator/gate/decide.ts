/** Asking the gate: it is told of a definition that it does not know, and asked again under the same id. */
import type { WorkflowDefinition } from '../../workflows/contract.ts';
import type { Answer, Ask, Operation } from '../../workflows/gate/operations.ts';
import type { GateClient } from './gate-client.ts';
import { noDecision } from './no-decision.ts';
import type { Ruling } from './ruling.ts';

export type DecideOptions = {
  /** This coordinator's. */
  readonly name: string;
  readonly gate: GateClient;
  /** How a workflow's requests are ruled now. */
  readonly ruling: (definition: WorkflowDefinition) => Ruling;
};

/** @throws ApiFailure 503 */
export async function decide(options: DecideOptions, ask: Ask, definition: WorkflowDefinition): Promise<Answer> {
  const answer = await submit(options.gate, ask);
  if (answer.a !== 'unknown_definition') return answer;
  await announce(options, definition);
  return submit(options.gate, ask);
}

/** Tells the gate what this coordinator believes about a workflow's limits. @throws ApiFailure 503 */
export async function announce({ name, gate, ruling }: DecideOptions, definition: WorkflowDefinition): Promise<void> {
  const now = Date.now();
  const { digest, announcement } = ruling(definition);
  await submit(gate, announcement(name, `d:${name.slice(0, 40)}:${digest}:${now}`, now));
}

/** @throws ApiFailure 503 */
export async function submit(gate: GateClient, operation: Operation): Promise<Answer> {
  try {
    return await gate.submit(operation);
  } catch (error) {
    throw noDecision(error);
  }
}
