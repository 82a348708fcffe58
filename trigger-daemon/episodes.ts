/**
 * What a trigger's looks mean: which faults there are, when to ask for the remedy, when to say that a fault is still seen or over.
 * Pure: (state, look or answer, clock) → state and effects. One state per trigger.
 *
 * Nothing is kept across a restart. A fault that still lasts is found again by the next look, under the same identity, and the gate
 * joins it to its episode; `for` begins anew, unless the source itself knows since when the condition holds.
 */
import type { TriggerConfig } from '../config/trigger-daemon.ts';
import { type Aim, aimAt, type Labels } from './aim.ts';
import type { Clock, Effect, Fault, Sighting, Step, TriggerLook, TriggerState } from './fault.ts';
import { identityKey, identityLabels } from './fault-identity.ts';

type Answer = TriggerLook & { kind: 'answer' };

export const newTriggerState = (): TriggerState => ({ faults: new Map(), storm: null, look: 'never' });

/** How often at least "still seen" is said of a fault: so that neither its evidence nor its episode runs out. */
export const reportEveryMs = (trigger: TriggerConfig): number => Math.min(trigger.validForMs, trigger.gapMs) / 2;

/** Takes one look into account. */
export function takeLook(state: TriggerState, look: TriggerLook, trigger: TriggerConfig, clock: Clock): Step {
  if (look.kind !== 'answer') return { state: { ...state, look: look.kind }, effects: [] };
  const sightings = groupByIdentity(look.seen, trigger);
  const certain = [...sightings.values()].filter((group) => group.certain);
  const storm = certain.length > trigger.maxSeries ? certain.length : null;
  const effects: Effect[] = [];
  if (storm !== null && state.storm === null) effects.push({ kind: 'storm_began', series: storm });
  if (storm === null && state.storm !== null) effects.push({ kind: 'storm_ended', series: certain.length });
  const faults = new Map<string, Fault>();
  for (const fault of state.faults.values()) {
    const group = sightings.get(fault.key);
    if (group === undefined) {
      if (fault.asks > 0) effects.push({ kind: 'resolved', fault });
    } else if (!group.certain) faults.set(fault.key, fault);
  }
  for (const group of certain) {
    const known = state.faults.get(group.key);
    // In a storm nothing new is taken up: what is left of it when it is over begins its `for` then.
    if (known === undefined && storm !== null) continue;
    const seen = seeAgain(known, group, look, trigger, clock);
    faults.set(group.key, advance(seen, known, look, trigger, clock, storm !== null, effects));
  }
  return { state: { faults, storm, look: 'answer' }, effects };
}

type Group = {
  readonly key: string;
  readonly labels: Labels;
  readonly certain: boolean;
  /** Of the certain ones if there are any, who began first. */
  readonly lead: Sighting;
  readonly rest: Sighting[];
};

/** Series that differ in volatile labels only are one fault. */
function groupByIdentity(seen: readonly Sighting[], trigger: TriggerConfig): Map<string, Group> {
  const groups = new Map<string, Group>();
  const volatile = new Set(trigger.volatileLabels);
  for (const sighting of seen) {
    const labels = identityLabels(sighting.labels, volatile);
    const key = identityKey(labels);
    const other = groups.get(key);
    groups.set(key, other === undefined ? groupOf(key, labels, sighting, []) : join(other, sighting));
  }
  return groups;
}

const groupOf = (key: string, labels: Labels, lead: Sighting, rest: Sighting[]): Group => ({
  key,
  labels,
  certain: lead.certain,
  lead,
  rest,
});

function join(group: Group, sighting: Sighting): Group {
  const { key, labels, lead, rest } = group;
  const earlier = (sighting.since ?? Infinity) < (lead.since ?? Infinity);
  const leads = sighting.certain === lead.certain ? earlier : sighting.certain;
  rest.push(leads ? lead : sighting);
  return leads ? groupOf(key, labels, sighting, rest) : group;
}

/** What to ask for; the certain sightings of one identity have to agree on it. */
function aimOf({ lead, rest }: Group, trigger: TriggerConfig): Aim {
  const aim = aimAt(trigger, lead.labels);
  const others = rest.filter((one) => one.certain === lead.certain).map((one) => aimAt(trigger, one.labels));
  if (others.every((other) => sameAim(aim, other))) return aim;
  const problem =
    'series of one identity disagree about target or arguments; take the labels they use out of volatile_labels';
  return { ok: false, problem };
}

function sameAim(a: Aim, b: Aim): boolean {
  if (!a.ok || !b.ok) return a.ok === b.ok;
  return JSON.stringify([a.target, a.args]) === JSON.stringify([b.target, b.args]);
}

function seeAgain(known: Fault | undefined, group: Group, look: Answer, trigger: TriggerConfig, clock: Clock): Fault {
  const { labels: seriesLabels, value, since } = group.lead;
  const sighting = { seriesLabels, value, aim: aimOf(group, trigger), observedAt: look.askedAt, seenAt: clock.mono };
  if (known === undefined) {
    return {
      ...sighting,
      key: group.key,
      labels: group.labels,
      beganAt: since ?? look.askedAt,
      heldMs: 0,
      phase: { kind: 'waiting' },
      asks: 0,
      rejections: null,
      reportAt: 0,
    };
  }
  // Time between two sightings that no look covers (failed, slow) is not time in which the condition was seen to hold.
  const counted = Math.min(Math.max(0, clock.mono - known.seenAt), 2 * trigger.everyMs);
  // While nobody was asked, the source's word on since when counts as it is now: the condition may have been interrupted unseen.
  const beganAt = known.asks === 0 && since !== null ? since : known.beganAt;
  return { ...known, ...sighting, beganAt, heldMs: known.heldMs + counted };
}

/** The coordinator knows of the fault and goes by what is said of it. */
const DECIDED: ReadonlySet<Fault['phase']['kind']> = new Set(['joined', 'refused', 'pending', 'shadow']);

/** Decides what to say of a fault that was just seen; pushes it to `effects`. */
function advance(
  fault: Fault,
  known: Fault | undefined,
  look: Answer,
  trigger: TriggerConfig,
  clock: Clock,
  storm: boolean,
  effects: Effect[],
): Fault {
  if (!fault.aim.ok) {
    const said = known !== undefined && !known.aim.ok && known.aim.problem === fault.aim.problem;
    if (!said) effects.push({ kind: 'unusable', fault, problem: fault.aim.problem });
    return fault;
  }
  if (!storm && wantsRequest(fault, look, trigger, clock)) {
    const asked: Fault = { ...fault, phase: { kind: 'asked' }, asks: fault.asks + 1 };
    effects.push({ kind: 'request', fault: asked });
    return asked;
  }
  if (!DECIDED.has(fault.phase.kind) || clock.mono < fault.reportAt) return fault;
  const reported = { ...fault, reportAt: clock.mono + reportEveryMs(trigger) };
  effects.push({ kind: 'seen', fault: reported });
  return reported;
}

function wantsRequest(fault: Fault, look: Answer, trigger: TriggerConfig, clock: Clock): boolean {
  const { phase } = fault;
  if (phase.kind === 'asked') return false;
  if (phase.kind === 'waiting') return hasHeld(fault, look, trigger);
  return clock.mono >= phase.askAt;
}

function hasHeld(fault: Fault, look: Answer, trigger: TriggerConfig): boolean {
  if (trigger.condition.kind === 'query') return fault.heldMs >= trigger.forMs;
  // Both times are the source's, so a step of our clock changes nothing.
  return look.evaluatedAt - fault.beganAt >= trigger.forMs;
}
