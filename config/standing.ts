/** What a coordinator's file says about all workflows together: fleet-wide limits, and windows. */
import { fleetLimitsOf, limitBlock, type FleetLimit } from './fleet-limits.ts';
import type { Known } from './known.ts';
import { many, type ReadOptions, type Section } from './schema.ts';
import { windowBlock, windowsOf, type WindowConfig } from './window.ts';

/** What holds across workflows; it may stand in a file of its own. */
export type Standing = { readonly limits: readonly FleetLimit[]; readonly windows: readonly WindowConfig[] };

export const standingBlocks = { limit: many(limitBlock), window: many(windowBlock) } as const;

/** The part of a coordinator's file that it is read from. */
type StandingSection = {
  readonly given: ReadonlyMap<string, unknown>;
  readonly blocks: {
    readonly limit: readonly Section<typeof limitBlock>[];
    readonly window: readonly Section<typeof windowBlock>[];
  };
};

/** Reads the calendars that windows name. Null when anything is wrong with it. */
export async function standingOf(
  section: StandingSection,
  options: ReadOptions,
  known: Known,
): Promise<Standing | null> {
  // A running coordinator that has no inventory gets none by reading its files again.
  const hasInventory = known.hasInventory !== false && section.given.has('inventory');
  const limits = fleetLimitsOf(section.blocks.limit, options, { ...known, hasInventory });
  const windows = await windowsOf(section.blocks.window, options.problems);
  return limits === null || windows === null ? null : { limits, windows };
}
