/** What would hold if these files were in force: each workflow's mode and limits, and when windows are closed next. */
import type { Standing } from '../config/standing.ts';
import { formatDuration } from '../config/duration.ts';
import { closedIntervals } from '../config/window-times.ts';
import type { WindowConfig } from '../config/window.ts';
import type { WorkflowConfig } from '../config/workflow.ts';
import { covers } from '../coordinator/gate/ruling.ts';
import type { Constraint, Mode } from '../workflows/contract.ts';
import { type Io, note, say, wantsColour } from './io.ts';
import { renderTable, type Column } from './table.ts';

/** What `config/validate.ts` found. */
type Found = Standing & { readonly workflows: readonly WorkflowConfig[] };

type HeldLimit = Constraint & { readonly workflow: string; readonly mode: string; readonly block: string | null };

export type StandingJson = { readonly workflows: readonly unknown[]; readonly windows: readonly unknown[] };

const AHEAD_MS = 366 * 86_400_000;
const SHOWN_CLOSURES = 3;
const LISTED_CLOSURES = 50;

export function standingJson(found: Found, now: number): StandingJson {
  return {
    workflows: found.workflows.map(({ definition }) => ({
      name: definition.name,
      mode: definition.mode,
      overrides: definition.modeOverrides.map(({ mode, nodeTypes, datacenters, nodes }) => ({
        mode,
        node_types: nodeTypes,
        datacenters,
        nodes,
      })),
      max_pending: definition.maxPending,
      limits: limitsOf(found, definition).map(({ kind, value, percent, periodMs, scope, block }) => ({
        kind,
        value,
        percent,
        period_s: periodMs / 1000,
        scope,
        name: block,
      })),
    })),
    windows: found.windows.map((window) => ({
      name: window.name,
      changes: window.changes,
      workflows: window.workflows,
      node_types: window.nodeTypes,
      datacenters: window.datacenters,
      nodes: window.nodes,
      reason: window.reason,
      closed: nextClosures(window, now)
        .slice(0, LISTED_CLOSURES)
        .map(({ from, until }) => ({
          from: new Date(from).toISOString(),
          until: new Date(until).toISOString(),
        })),
    })),
  };
}

export function showStanding(io: Io, found: Found, now: number): void {
  const options = { columns: io.columns, colour: wantsColour(io), wide: false };
  const rows = found.workflows.flatMap(({ definition }) => limitsOf(found, definition));
  const free = found.workflows.filter(({ definition }) => limitsOf(found, definition).length === 0);
  if (rows.length > 0) for (const line of renderTable(LIMITS, rows, options)) say(io, line);
  for (const { definition } of free)
    note(io, `${definition.name} (${modeText(definition)}) has no limit but one change on a node at a time.`);
  if (found.windows.length === 0) return;
  if (rows.length > 0) say(io, '');
  const windows = found.windows.map((window) => ({ window, closed: nextClosures(window, now) }));
  for (const line of renderTable(WINDOWS, windows, options)) say(io, line);
}

/** In the order in which they are announced: its own, then those of the fleet. */
function limitsOf(found: Found, definition: WorkflowConfig['definition']): readonly HeldLimit[] {
  const about = { workflow: definition.name, mode: modeText(definition) };
  return [
    ...definition.constraints.map((constraint) => ({ ...constraint, ...about, block: null })),
    ...found.limits
      .filter((limit) => covers(limit, definition))
      .map(({ kind, value, percent, periodMs, scope, name }) => {
        const constraint = { kind, value, percent, periodMs, scope };
        return { ...constraint, ...about, block: name };
      }),
  ];
}

/** `ask, for some auto`: for which is in the file. */
function modeText({ mode, modeOverrides }: { mode: Mode; modeOverrides: readonly { mode: Mode }[] }): string {
  const others = [...new Set(modeOverrides.map((override) => override.mode))].filter((other) => other !== mode);
  return others.length === 0 ? mode : `${mode}, for some ${others.join(', ')}`;
}

function limitText({ kind, value, percent, periodMs }: HeldLimit): string {
  const period = periodMs === 0 ? '' : ` in ${formatDuration(periodMs)}`;
  return kind === 'cooldown' ? `${kind} ${formatDuration(periodMs)}` : `${kind} ${value}${percent ? '%' : ''}${period}`;
}

const LIMITS: readonly Column<HeldLimit>[] = [
  { header: 'WORKFLOW', value: (row) => row.workflow, cut: 1 },
  { header: 'MODE', value: (row) => row.mode, cut: 4 },
  { header: 'LIMIT', value: limitText, cut: 0 },
  { header: 'COUNTED BY', value: (row) => row.scope, cut: 2 },
  { header: 'FROM', value: (row) => (row.block === null ? 'its own' : `limit "${row.block}"`), cut: 3 },
];

type WindowRow = { readonly window: WindowConfig; readonly closed: ReturnType<typeof closedIntervals> };

/** The closures that are on or to come. A rule that leads nowhere was told as a problem when the file was read. */
const nextClosures = (window: WindowConfig, now: number): ReturnType<typeof closedIntervals> =>
  closedIntervals(window, { from: now, until: now + AHEAD_MS });

const WINDOWS: readonly Column<WindowRow>[] = [
  { header: 'WINDOW', value: ({ window }) => window.name, cut: 1 },
  { header: 'CHANGES', value: ({ window }) => window.changes, cut: 0 },
  { header: 'ABOUT', value: aboutText, cut: 4 },
  { header: 'CLOSED NEXT (UTC)', value: closedText, cut: 3 },
];

function aboutText({ window: { workflows, nodeTypes, datacenters, nodes } }: WindowRow): string {
  const lists = [workflows, nodeTypes, datacenters, nodes].filter((list) => list.length > 0);
  return lists.length === 0 ? 'everything' : lists.map((list) => list.join(' ')).join(' and ');
}

function closedText({ closed }: WindowRow): string {
  if (closed.length === 0) return 'not within a year';
  const shown = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
  const next = closed.slice(0, SHOWN_CLOSURES).map(({ from, until }) => `${shown(from)} to ${shown(until)}`);
  return next.join(', ') + (closed.length > SHOWN_CLOSURES ? ', ...' : '');
}
