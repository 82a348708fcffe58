/** One drill: a fleet under load, everything that the plan says going wrong, then calm, and then the checker. */
import { appendFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { openClientIdentity } from '../../../identity/client-identity.ts';
import { openCoordinatorClient, type CoordinatorClient } from '../../../identity/coordinator-client.ts';
import { errorMessage } from '../../../identity/error-message.ts';
import { COORDINATOR_ID } from '../../support/site.ts';
import { checkRecord } from '../checks/all-checks.ts';
import type { Finding } from '../finding.ts';
import { readRecord } from '../read-record.ts';
import type { ProofRecord } from '../record.ts';
import { countsOf } from '../report.ts';
import { contradicted, startLoad, type Load } from './callers.ts';
import { COORDINATORS, startDrillFleet, type DrillFleet } from './drill-fleet.ts';
import { AGENTS } from './drill-workflows.ts';
import { faultPlan, type Fault, type FaultKind } from './fault-plan.ts';
import { inject } from './inject.ts';
import { standIn } from './person.ts';

export type DrillOptions = {
  readonly seed: number;
  readonly minutes: number;
  readonly kinds: readonly FaultKind[];
  /** Where every line of every role goes; null: nowhere. */
  readonly log: string | null;
  /** Progress, for people. */
  readonly say: (line: string) => void;
};

export type DrillResult = {
  readonly seed: number;
  readonly minutes: number;
  readonly requests: number;
  readonly admitted: number;
  readonly refused: number;
  readonly kills: Readonly<Record<string, number>>;
  readonly over_admissions: number;
  readonly doubled_actions: number;
  readonly lost: number;
  readonly pending: number;
  readonly executions: number;
  readonly decisions: number;
  /** Leases still held at the end, of them orphaned. */
  readonly held: number;
  readonly orphans: number;
  readonly decisions_per_s: number;
  /** In all, of times of more than two seconds in which no caller got an answer. */
  readonly unavailable_s: number;
  readonly longest_unavailable_s: number;
  readonly findings: readonly Finding[];
};

const CALLERS = 5;
const PAUSE_MS = 1_300;
const ANSWERS_MS = 90_000;
const DRAINED_MS = 120_000;

export async function runDrill(options: DrillOptions): Promise<{ result: DrillResult; record: ProofRecord }> {
  const { seed, minutes, say } = options;
  say(`seed ${seed}, ${minutes} min: starting the fleet`);
  await using stack = new AsyncDisposableStack();
  const fleet = stack.use(await startDrillFleet(options.log));
  const clients = await Promise.all(Array.from({ length: CALLERS }, (_, index) => caller(fleet, index, stack)));
  const load = startLoad({ seed, clients, pauseMs: PAUSE_MS });
  const leaving = new AbortController();
  const person = standIn(fleet.person, seed, leaving.signal);
  const kills = await suffer(fleet, options, load, Date.now());
  load.stop();
  say('calm: waiting for answers and leases');
  const held = await calm(fleet, load);
  leaving.abort();
  await person;
  const { address } = fleet.site.temporal;
  const record = await readRecord({ address, domain: 'main', since: 0, effects: fleet.effects });
  return { result: resultOf(options, load, record, kills, held), record };
}

async function caller(
  fleet: DrillFleet,
  index: number,
  stack: AsyncDisposableStack,
): Promise<{ first: CoordinatorClient; other: CoordinatorClient }> {
  const { certificate, key, bundle } = await fleet.site.pki.issue(`/trigger-daemon/t${index}`, {
    name: `caller-${index}`,
  });
  const log = pino({ level: 'silent' });
  const identity = stack.use(
    await openClientIdentity({ certificate, key, bundle, coordinatorId: COORDINATOR_ID }, { log }),
  );
  const to = (addresses: readonly string[]): CoordinatorClient =>
    stack.use(openCoordinatorClient({ addresses, coordinatorId: COORDINATOR_ID, identity }));
  const inTurn = index % 2 === 0 ? fleet.addresses : fleet.addresses.toReversed();
  return { first: to(inTurn), other: to(inTurn.toReversed()) };
}

/** Faults in their time; each lasts while the next ones come. */
async function suffer(
  fleet: DrillFleet,
  options: DrillOptions,
  load: Load,
  began: number,
): Promise<Record<string, number>> {
  const kills: Record<string, number> = {};
  const under: Promise<void>[] = [];
  for (const fault of faultPlan(options.seed, options.minutes, options.kinds)) {
    await delay(Math.max(0, began + fault.at - Date.now()));
    under.push(strike(fleet, options, fault, kills));
    options.say(progress(began, load, `${fault.kind} ${fault.forMs} ms`));
  }
  await delay(Math.max(0, began + options.minutes * 60_000 - Date.now()));
  await Promise.all(under);
  return kills;
}

async function strike(
  fleet: DrillFleet,
  { log, say }: DrillOptions,
  fault: Fault,
  kills: Record<string, number>,
): Promise<void> {
  const note = (text: string): Promise<void> =>
    log === null ? Promise.resolve() : appendFile(log, `${new Date().toISOString()} drill ${fault.kind} ${text}\n`);
  try {
    await note('begins');
    const struck = await inject(fleet, fault);
    await note(`ends: ${struck ?? 'nothing to strike'}`);
    if (struck !== null) kills[fault.kind] = (kills[fault.kind] ?? 0) + 1;
  } catch (error) {
    // Temporal may be down itself just then.
    say(`${fault.kind} could not be done: ${errorMessage(error)}`);
    await note(`could not be done: ${errorMessage(error)}`);
  }
}

function progress(began: number, { noted }: Load, what: string): string {
  const seconds = Math.round((Date.now() - began) / 1_000);
  const said = (word: string): number => noted.filter(({ answers }) => answers[0]?.said === word).length;
  const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  return `${clock}  ${noted.length} requests, ${said('admitted')} admitted, ${said('refused')} refused  ${what}`;
}

/** Everything runs again; callers get their last answers, and what is held is given back, as far as it can be. */
async function calm(fleet: DrillFleet, load: Load): Promise<{ leases: number; orphaned: number }> {
  await fleet.site.temporal.start();
  for (const name of [...COORDINATORS, ...AGENTS.map(({ name: node }) => node)]) fleet.revive(name);
  await Promise.race([load.ended, delay(ANSWERS_MS, undefined, { ref: false })]);
  load.giveUp();
  await load.ended;
  const deadline = Date.now() + DRAINED_MS;
  let last = { leases: -1, orphaned: -1 };
  while (Date.now() < deadline) {
    const status = await fleet.person.status().catch(() => null);
    if (status !== null) last = { leases: status.gate.leases ?? -1, orphaned: status.gate.orphaned ?? -1 };
    const waiting = await fleet.person.listPending().catch(() => null);
    if (last.leases === 0 && waiting?.length === 0) break;
    await delay(500);
  }
  return last;
}

function resultOf(
  { seed, minutes }: DrillOptions,
  { noted }: Load,
  record: ProofRecord,
  kills: Record<string, number>,
  held: { leases: number; orphaned: number },
): DrillResult {
  const told = contradicted(noted).map(({ request, asked, answers }): Finding => {
    const what = `told of ${answers.map(({ execution }) => execution ?? '-').join(', ')}`;
    return { kind: 'contradiction', at: asked, subject: request.request_id, what };
  });
  const unanswered = noted
    .filter(({ answers }) => answers.length === 0)
    .map(({ request, asked }): Finding => {
      return { kind: 'lost', at: asked, subject: request.request_id, what: 'its caller never got an answer' };
    });
  const findings = [...checkRecord(record), ...told, ...unanswered];
  const counts = countsOf(record, findings);
  const said = (word: string): number => noted.filter(({ answers }) => answers[0]?.said === word).length;
  const gaps = silences(noted);
  return {
    seed,
    minutes,
    requests: noted.length,
    admitted: said('admitted'),
    refused: said('refused'),
    kills,
    over_admissions: counts.over_admissions,
    doubled_actions: counts.doubled_actions,
    lost: counts.lost,
    pending: said('pending'),
    executions: counts.executions,
    decisions: counts.decisions,
    held: held.leases,
    orphans: held.orphaned,
    decisions_per_s: Number((counts.decisions / (minutes * 60)).toFixed(1)),
    unavailable_s: Number((gaps.reduce((sum, gap) => sum + gap, 0) / 1_000).toFixed(1)),
    longest_unavailable_s: Number((Math.max(0, ...gaps) / 1_000).toFixed(1)),
    findings,
  };
}

function silences(noted: Load['noted']): number[] {
  const times = noted.flatMap(({ answers }) => answers.map(({ at }) => at)).toSorted((a, b) => a - b);
  return times.map((at, index) => at - (times[index - 1] ?? at)).filter((gap) => gap > 2_000);
}
