/**
 * Commands on a coordinator's host that speak to the gate by themselves (`fettle lease free`, `fettle gate adopt`) are written down beside the
 * coordinator's own file, as `FILE.commands`: two writers would break one chain.
 */
import path from 'node:path';
import type { Logger } from 'pino';
import type { CoordinatorConfig } from '../../config/coordinator.ts';
import type { Answer, Operation } from '../../workflows/gate/operations.ts';
import { openAuditor } from './auditor.ts';
import { auditLine } from './decision-line.ts';

export type CommandAuditOptions = {
  readonly config: Pick<CoordinatorConfig, 'audit' | 'stateDir' | 'name'>;
  readonly version: string;
  readonly log: Logger;
  /** What was done stands in the gate's record all the same. */
  readonly onProblem: (problem: string) => void;
};

/** Writes the line of one answer, if it has one, and lets go of the file. */
export async function auditCommand(
  { config, version, log, onProblem }: CommandAuditOptions,
  operation: Operation,
  answer: Answer,
): Promise<void> {
  const { audit, stateDir, name } = config;
  if (audit === null || auditLine(operation, answer, (short) => short) === null) return;
  const file = `${audit.file}.commands`;
  try {
    const auditor = await openAuditor({
      config: { ...audit, file },
      name,
      version,
      stateDir: path.join(stateDir, 'commands'),
      log,
    });
    await auditor.answered(operation, answer);
    await auditor.close();
    for (const warning of auditor.warnings()) onProblem(warning);
  } catch (error) {
    onProblem(error instanceof Error ? error.message : String(error));
  }
}
