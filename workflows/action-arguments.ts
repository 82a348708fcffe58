/**
 * What each action takes: read by the agent (which builds its checks from it), by the check of workflow files and by the docs.
 * Plain data; one entry for each name in `ACTIONS` of contract.ts (a test holds them together).
 */
import type { ACTIONS } from './contract.ts';

export type ArgumentRule = {
  readonly type: 'string' | 'number' | 'bool';
  readonly required: boolean;
  /** Whole-value regular expression for strings; null = any. */
  readonly pattern: string | null;
  readonly description: string;
};

export type ActionArguments = {
  readonly description: string;
  readonly named: Readonly<Record<string, ArgumentRule>>;
  /** Further arguments of the caller's own naming (string, number or bool), which the action itself checks; null = none. */
  readonly others: string | null;
};

/** A full unit name, as systemd.unit(5) spells it, with its suffix; no globs and no leading dash. */
export const UNIT_NAME =
  '[A-Za-z0-9:_.\\\\@][A-Za-z0-9:_.\\\\@-]{0,239}\\.(?:service|socket|timer|target|mount|automount|swap|path|slice|scope|device)';

const unit: ArgumentRule = {
  type: 'string',
  required: true,
  pattern: UNIT_NAME,
  description: 'full name of the unit with its suffix, e.g. "web.service"',
};

export const ACTION_ARGUMENTS: Readonly<Record<keyof typeof ACTIONS, ActionArguments>> = {
  ping: { description: 'answers with boot id, agent version and uptime; changes nothing', named: {}, others: null },
  exec: {
    description: 'runs one command that is defined in actions.d on the host itself',
    named: {
      command: {
        type: 'string',
        required: true,
        pattern: '[A-Za-z0-9][A-Za-z0-9_.-]{0,63}',
        description: 'name of the command block',
      },
    },
    others: "the command's declared inputs",
  },
  'systemd.restart': { description: 'restarts a systemd unit and waits for the job', named: { unit }, others: null },
  'systemd.start': { description: 'starts a systemd unit and waits for the job', named: { unit }, others: null },
  'systemd.stop': { description: 'stops a systemd unit and waits for the job', named: { unit }, others: null },
  'systemd.status': {
    description: 'reads the state of a systemd unit; changes nothing',
    named: { unit },
    others: null,
  },
};
