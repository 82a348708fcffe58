/**
 * `fettle gate ...` and `fettle lease free`: for a person on a coordinator's host, straight to the gate with that coordinator's own access to
 * Temporal, since they are for days when coordinators themselves refuse to decide.
 */
import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import type { CoordinatorConfig } from '../config/coordinator.ts';
import { configOf, loadCoordinator } from '../config/load.ts';
import { auditCommand } from '../coordinator/audit/command-audit.ts';
import { GateClient, GateUnavailableError } from '../coordinator/gate/gate-client.ts';
import { openKnownLease, type KnownLease } from '../coordinator/gate/known-lease.ts';
import { replaceGate } from '../coordinator/setup-temporal.ts';
import { openTemporal, type Temporal } from '../coordinator/temporal.ts';
import { formatLease, gateWorkflowId } from '../workflows/contract.ts';
import { RESET, type Answer, type LeaseSummary, type Operation } from '../workflows/gate/operations.ts';
import { leaseName } from '../workflows/gate/target-ref.ts';
import { CommandError, EXIT, type ExitCode } from './exit-code.ts';
import type { OutputOption } from './fettle-command.ts';
import { errorText } from './finding.ts';
import { type Io, note, say } from './io.ts';
import { printList } from './list-output.ts';
import { printable } from './printable.ts';
import { silentLog } from './role-log.ts';
import { VERSION } from './version.ts';
import { formatTime } from './time-text.ts';

export type GateFlags = OutputOption & { readonly config: readonly string[] };
export type GateChangeFlags = { readonly config: readonly string[]; readonly reason: string };

type Reached = {
  readonly temporal: Temporal;
  readonly gate: GateClient;
  readonly known: KnownLease;
  readonly config: CoordinatorConfig;
};

/** `fettle gate leases` */
export const gateLeases = (io: Io, flags: GateFlags): Promise<ExitCode> =>
  withGate(io, flags.config, async ({ gate }) => {
    const rows = await gate.leases();
    const columns = [
      { header: 'EXECUTION', value: leaseName, cut: 1 },
      { header: 'STATE', value: stateOf, cut: 0 },
      { header: 'ADMITTED', value: (row: LeaseSummary) => formatTime(row.admittedAt, io.now()), cut: 0 },
      { header: 'NOT SETTLED', value: unsettledText, cut: 2 },
    ];
    printList(io, { format: flags.output, name: 'leases', rows, columns, empty: 'The gate holds no lease.' });
    return EXIT.ok;
  });

const stateOf = (row: LeaseSummary): string => (row.orphaned ? 'orphaned' : row.started ? 'running' : 'not started');
const unsettledText = (row: LeaseSummary): string =>
  row.unsettled.length === 0 ? '-' : row.unsettled.map((held) => `${held.step}#${held.attempt}@${held.node}`).join(' ');

/** `fettle gate adopt`: the gate decides again, under a new epoch; with `anew`, a new one takes its place, with empty counts. */
export const adoptGate = (io: Io, flags: GateChangeFlags & { readonly anew?: boolean }): Promise<ExitCode> =>
  withGate(io, flags.config, async ({ gate, known, config, temporal }) => {
    if (flags.anew === true) await makeAnew(io, temporal, config.domain);
    else await checkAdoptable(io, gate, temporal, config.domain);
    await submit(gate, { op: 'adopt', ...signed(flags.reason), e: known.highest()[0] });
    const { epoch } = await gate.summary();
    say(io, `The gate of domain ${config.domain} decides again, in epoch ${epoch}.`);
    return EXIT.ok;
  });

const REPLACED = 'any coordinator that runs replaces it within seconds by one that knows what it knew';
const ANEW =
  'fettle status; only where its history is gone for good, and once nothing runs any more: the same command with --anew';

async function checkAdoptable(io: Io, gate: GateClient, temporal: Temporal, domain: string): Promise<void> {
  const refuse = (why: string, next: string): never => {
    throw new CommandError(EXIT.refused, `the gate of domain ${domain} ${why}`, next);
  };
  if (!(await gateRuns(temporal, domain))) return refuse(`has ended; ${REPLACED}`, ANEW);
  const { quarantine } = await gate.summary();
  if (quarantine === null) return refuse('decides; there is nothing to adopt', 'fettle status');
  if (quarantine.startsWith(RESET)) return refuse(`was reset; ${REPLACED}`, ANEW);
  say(io, `It was quarantined: ${quarantine}`);
}

async function gateRuns(temporal: Temporal, domain: string): Promise<boolean> {
  const handle = temporal.control.workflow.getHandle(gateWorkflowId(domain));
  const { status } = await temporal.call('look for the gate', () => handle.describe());
  return status.name === 'RUNNING';
}

async function makeAnew(io: Io, temporal: Temporal, domain: string): Promise<void> {
  const ended = await gateRuns(temporal, domain);
  await replaceGate(temporal, domain);
  if (ended) say(io, `The old gate of domain ${domain} was ended.`);
  say(io, `The gate of domain ${domain} was made anew, with empty counts.`);
}

/** `fettle lease free`: a person's word that nothing of an orphan can act any more. */
export const freeLease = (io: Io, id: string, flags: GateChangeFlags): Promise<ExitCode> =>
  withGate(io, flags.config, async ({ gate }) => {
    const held = (await gate.leases()).find(
      (row) => leaseName(row) === id || formatLease({ epoch: row.lease[0], n: row.lease[1] }) === id,
    );
    if (held === undefined)
      throw new CommandError(EXIT.failed, `the gate holds no lease ${id}`, 'fettle gate leases --config FILE');
    if (!held.orphaned) {
      throw new CommandError(
        EXIT.refused,
        `${leaseName(held)} is not orphaned: its execution still has it`,
        `fettle cancel ${id}`,
      );
    }
    await submit(gate, { op: 'free', ...signed(flags.reason), l: held.lease });
    say(io, `${leaseName(held)} is free: its limits are no longer held.`);
    return EXIT.ok;
  });

/** Who did it and why go into the gate's journal. */
const signed = (reason: string): { id: string; at: number; by: string; why: string } => ({
  id: `x:${randomUUID()}`,
  at: Date.now(),
  by: userInfo().username.slice(0, 40),
  why: reason.slice(0, 200),
});

const submit = (gate: GateClient, operation: Operation): Promise<Answer> => gate.submit(operation);

async function withGate(
  io: Io,
  paths: readonly string[],
  use: (reached: Reached) => Promise<ExitCode>,
): Promise<ExitCode> {
  const config = configOf(await loadCoordinator(paths));
  await using stack = new AsyncDisposableStack();
  const temporal = await openTemporal(config.temporal, 'fettle-gate-command');
  stack.defer(() => temporal.close());
  const known = await openKnownLease(config.stateDir, config.domain, silentLog());
  const onProblem = (problem: string): void => note(io, `fettle: ${printable(problem)}`);
  const gate = new GateClient({
    temporal,
    domain: config.domain,
    name: 'gate-command',
    known,
    log: silentLog(),
    onAnswer: (operation, answer) =>
      auditCommand({ config, version: VERSION, log: silentLog(), onProblem }, operation, answer),
  });
  stack.defer(() => gate.close());
  try {
    return await use({ temporal, gate, known, config });
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const code = error instanceof GateUnavailableError ? EXIT.noDecision : EXIT.failed;
    throw new CommandError(code, errorText(error), `fettle doctor --config ${paths.join(' ')}`, { cause: error });
  }
}
