/** What is held: counts of every group, and nodes. The gate has two: what really is, and the virtual one of workflows in shadow. */
import { floorKeys, type LimitCounts, type Counted, type Start } from './counts.ts';
import type { Fleet } from './fleet.ts';
import type { LimitRef, TargetRef } from './operations.ts';

export class World {
  /** By workflow: its own limits. */
  readonly own = new Map<string, LimitCounts>();
  /** By name: fleet-wide limits. */
  readonly groups = new Map<string, LimitCounts>();
  /** Node → lease that holds it for changing. */
  readonly nodes = new Map<string, string>();
  readonly #held = new Map<string, TargetRef>();
  /** Held nodes that are not down, by floor key, for each view of the fleet; true for this version of it. */
  #heldUp: Map<string, number>[] = [];
  #fleetVersion = -1;

  counts(workflow: string, limit: LimitRef): LimitCounts | undefined {
    return limit.g === undefined ? this.own.get(workflow) : this.groups.get(limit.g);
  }

  open(workflow: string, groups: readonly string[], counted: Counted): void {
    for (const counts of this.#of(workflow, groups)) counts.open(counted);
  }

  close(workflow: string, groups: readonly string[], counted: Counted, end: number | null): void {
    for (const counts of this.#of(workflow, groups)) counts.close(counted, end);
  }

  restore(workflow: string, groups: readonly string[], start: Start): void {
    for (const counts of this.#of(workflow, groups)) counts.restore(start);
  }

  hold(node: string, lease: string, target: TargetRef, fleet: Fleet): void {
    this.nodes.set(node, lease);
    if (this.#held.has(node)) return;
    this.#held.set(node, target);
    if (this.#fleetVersion === fleet.version) this.#count(node, target, fleet, 1);
  }

  letGo(node: string, lease: string, fleet: Fleet): void {
    if (this.nodes.get(node) !== lease) return;
    this.nodes.delete(node);
    const target = this.#held.get(node);
    this.#held.delete(node);
    if (target !== undefined && this.#fleetVersion === fleet.version) this.#count(node, target, fleet, -1);
  }

  /** How many nodes under this key are held and not down, as the fleet's view of this index has it. */
  heldUp(view: number, key: string, fleet: Fleet): number {
    if (this.#fleetVersion !== fleet.version) {
      this.#heldUp = fleet.views.map(() => new Map());
      this.#fleetVersion = fleet.version;
      for (const [node, target] of this.#held) this.#count(node, target, fleet, 1);
    }
    return this.#heldUp[view]?.get(key) ?? 0;
  }

  /** The same, without nodes that the other world holds too. Looks at every held node: for rehearsals alone. */
  heldUpBeside(other: World, view: number, key: string, fleet: Fleet): number {
    const down = fleet.views[view]?.down;
    let held = 0;
    for (const [node, target] of this.#held)
      if (!other.nodes.has(node) && down?.has(node) !== true && floorKeys(target).includes(key)) held += 1;
    return held;
  }

  trim(now: number): void {
    for (const counts of this.own.values()) counts.trim(now);
    for (const counts of this.groups.values()) counts.trim(now);
  }

  *#of(workflow: string, groups: readonly string[]): Generator<LimitCounts> {
    const own = this.own.get(workflow);
    if (own !== undefined) yield own;
    for (const group of groups) {
      const counts = this.groups.get(group);
      if (counts !== undefined) yield counts;
    }
  }

  #count(node: string, target: TargetRef, fleet: Fleet, by: 1 | -1): void {
    const keys = floorKeys(target);
    for (const [view, { down }] of fleet.views.entries()) {
      const counts = this.#heldUp[view];
      if (counts === undefined || down.has(node)) continue;
      for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + by);
    }
  }
}
