import { parseSpiffeId } from '../config/spiffe-id.ts';
import { type ClientIdentity, openClientIdentity } from '../identity/client-identity.ts';
import { ApiError, openCoordinatorClient } from '../identity/coordinator-client.ts';
import { CoordinatorConnection } from '../identity/coordinator-connection.ts';
import { silentLog } from './role-log.ts';
import type { ResolvedProfile } from './client-profile.ts';
import type { ApiStatus } from '../workflows/api.ts';
import { errorText, fail, type Finding, ok, warn } from './finding.ts';
import { breakerText, disagreementText, pauseText, STRAY } from './standing-text.ts';
import { formatDuration } from './time-text.ts';

const DEADLINE_MS = 8_000;
/** The gate refuses batches of a coordinator whose clock is 5 s off; HTTP dates have whole seconds. */
const CLOCK_WARN_MS = 2_500;
const CLOCK_FAIL_MS = 6_000;

/** Reaches each coordinator of a profile by itself: connection, identity, clock, and what it says of its own state. */
export async function checkCoordinators(profile: ResolvedProfile, now: () => number): Promise<Finding[]> {
  await using undo = new AsyncDisposableStack();
  let identity: ClientIdentity = { kind: 'none' };
  try {
    if (profile.bundle !== null) {
      identity = undo.use(await openClientIdentity({ ...profile, bundle: profile.bundle }, { log: silentLog() }));
    }
  } catch (error) {
    return [fail('coordinator', `own certificate or bundle: ${errorText(error)}`, 'mend the file that is named')];
  }
  const each = profile.addresses.map((address) => checkOne(address, profile.coordinatorId, identity, now));
  return (await Promise.all(each)).flat();
}

async function checkOne(address: string, id: string, identity: ClientIdentity, now: () => number): Promise<Finding[]> {
  const findings: Finding[] = [];
  try {
    findings.push(...(await reach(address, id, identity, now)));
    if (findings.some((finding) => finding.state === 'fail')) return findings;
    await using client = openCoordinatorClient({
      addresses: [address],
      coordinatorId: id,
      identity,
      timeoutMs: DEADLINE_MS,
    });
    return [...findings, ...(await ownWords(address, client.status(), now()))];
  } catch (error) {
    const next = `is it running there (fettle coordinator --config FILE), and does a firewall let ${address} through`;
    return [...findings, fail('coordinator', `${address}: ${errorText(error)}`, next)];
  }
}

async function reach(address: string, id: string, identity: ClientIdentity, now: () => number): Promise<Finding[]> {
  await using connection = new CoordinatorConnection(address, parseSpiffeId(id), identity);
  const before = now();
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const { statusCode, headers, body } = await connection.request({ method: 'GET', path: '/healthz', signal });
  await body.dump();
  const proven = identity.kind === 'none' ? 'plain HTTP' : `proved ${id}`;
  const findings = [ok('coordinator', `${address} answers (${proven}, ${Math.round(now() - before)} ms)`)];
  if (statusCode >= 500)
    findings.push(fail('coordinator', `${address}: /healthz answers ${statusCode}`, 'look at its log'));
  const date = Date.parse(String(headers['date'] ?? ''));
  if (!Number.isNaN(date)) findings.push(...clock(address, date + 500 - (before + now()) / 2));
  return findings;
}

function clock(address: string, aheadMs: number): Finding[] {
  const off = Math.abs(aheadMs);
  if (off < CLOCK_WARN_MS) return [];
  const text = `the clock of ${address} is about ${formatDuration(off)} ${aheadMs > 0 ? 'ahead of' : 'behind'} ours`;
  return [(off > CLOCK_FAIL_MS ? fail : warn)('coordinator', text, 'timedatectl, on both machines')];
}

async function ownWords(address: string, asked: Promise<ApiStatus>, now: number): Promise<Finding[]> {
  try {
    const status = await asked;
    const { temporal, fleet, warnings, config } = status;
    const findings = warnings.map((warning) => warn('coordinator', `${address}: ${warning}`, 'fettle status'));
    if (!temporal.connected)
      findings.push(
        fail(
          'coordinator',
          `${address} does not reach Temporal at ${temporal.address}`,
          'there: fettle doctor --config FILE',
        ),
      );
    findings.push(...gateFindings(address, status, now));
    if (fleet.state !== 'ready')
      findings.push(
        warn('coordinator', `${address}: the fleet is ${fleet.state.replace('_', ' ')}`, 'fettle status, in a minute'),
      );
    for (const { file, problems } of config.files) {
      if (problems.length > 0)
        findings.push(
          warn('coordinator', `${address}: ${file} is not in force: ${problems[0]}`, `there: fettle validate ${file}`),
        );
    }
    return findings.length > 0 ? findings : [ok('coordinator', `${address}: gate open, ${fleet.alive} nodes alive`)];
  } catch (error) {
    if (error instanceof ApiError && (error.status === 403 || error.status === 401)) {
      return [
        warn(
          'coordinator',
          `${address} does not let this identity see its status: ${error.message}`,
          'if it should: name the id in a route_rule for GET /v1/status',
        ),
      ];
    }
    return [fail('coordinator', `${address}: ${errorText(error)}`, 'look at its log')];
  }
}

const GATE_NEXT: Readonly<Record<ApiStatus['gate']['state'], string>> = {
  open: 'nothing',
  paused: 'fettle resume, with the id that fettle status prints',
  quarantined: 'look what became of it, then on a coordinator\'s host: fettle gate adopt --config FILE --reason "..."',
  opening: 'it took over from a lost run and looks at all leases first; again in some seconds: fettle doctor',
  missing: 'fettle setup temporal --config FILE',
  unreachable: 'fettle status',
};

/** What the gate is in, and all that a person has to look at. */
function gateFindings(address: string, { gate, strays }: ApiStatus, now: number): Finding[] {
  const found: Finding[] = [];
  if (gate.state !== 'open') {
    const detail = gate.state === 'quarantined' && gate.detail !== null ? `: ${gate.detail}` : '';
    const state = gate.state === 'opening' || gate.state === 'paused' ? warn : fail;
    found.push(state('gate', `${address}: the gate is ${gate.state}${detail}`, GATE_NEXT[gate.state]));
  }
  for (const pause of gate.pauses)
    found.push(warn('gate', `paused: ${pauseText(pause, now)}`, `fettle resume ${pause.id} --reason "..."`));
  for (const breaker of gate.breakers)
    found.push(
      warn('gate', `breaker open: ${breakerText(breaker, now)}`, `fettle resume ${breaker.id} --reason "..."`),
    );
  for (const { execution, unsettled } of gate.orphans) {
    const next = `when nothing of it can act any more, on a coordinator's host: fettle lease free ${execution} --config FILE --reason "..."`;
    found.push(warn('gate', `orphaned lease ${execution}: not settled: ${unsettled.join(', ')}`, next));
  }
  for (const { workflow, definitions } of gate.disagreements)
    found.push(
      warn(
        'gate',
        disagreementText(workflow, definitions),
        'give all coordinators the same files, then: fettle status',
      ),
    );
  for (const { execution, why } of strays ?? [])
    found.push(
      fail(
        'gate',
        `${execution} ${STRAY[why]}`,
        `find out who started it, then: fettle cancel ${execution} --reason "..."`,
      ),
    );
  return found;
}
