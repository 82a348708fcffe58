/**
 * What each action takes: read by the agent (which builds its checks from it), by the check of workflow files and by the docs.
 * Plain data; one entry for each name in `ACTIONS` of contract.ts (a test holds them together).
 */
import type { ACTIONS, Scalar } from './contract.ts';

export type ArgumentRule = {
  readonly type: 'string' | 'number' | 'bool';
  readonly required: boolean;
  /** Whole-value regular expression for strings; null = any. */
  readonly pattern: string | null;
  readonly description: string;
  /** What holds when it is left out; without it, leaving it out means that nothing is said. */
  readonly default?: Scalar;
  /** Of a number, which then has to be whole. */
  readonly min?: number;
  readonly max?: number;
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

const text = (description: string, pattern: string | null = null): ArgumentRule => ({
  type: 'string',
  required: false,
  pattern,
  description,
});
const whole = (description: string, min: number, max: number, fallback?: number): ArgumentRule => ({
  type: 'number',
  required: false,
  pattern: null,
  description,
  min,
  max,
  ...(fallback === undefined ? {} : { default: fallback }),
});
const flag = (description: string, fallback: boolean): ArgumentRule => ({
  type: 'bool',
  required: false,
  pattern: null,
  description,
  default: fallback,
});

const HOST_NAME = '[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?';
/** A host name, an IPv4 or an IPv6 address without brackets. */
const HOST = `(?:${HOST_NAME}|[0-9A-Fa-f:.]{2,45})`;

const DISK_CLEAN: ActionArguments['named'] = {
  what: {
    ...text(
      '"journal" (old journal files), "apt" (the cache of packages), or the name of a clean block of the host\'s own configuration',
      '[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}',
    ),
    required: true,
  },
  keep_size: text(
    'journal only: old files go until the rest takes no more than this, e.g. "500M"',
    '[1-9][0-9]{0,11}[KMGT]',
  ),
  keep_time: text('journal only: files older than this go, e.g. "14d"', '[1-9][0-9]{0,8}(?:s|m|h|d)'),
  min_free_percent: whole(
    'share of the file system that is to be free: nothing is deleted when it is already, and the action fails when it is not afterwards',
    1,
    99,
  ),
};

const NETWORK_CHECK: ActionArguments['named'] = {
  kind: { ...text('what is checked', 'dns|tcp|http|tls'), required: true },
  host: text('dns, tcp, tls: name or address', HOST),
  port: whole('tcp, tls: port; 443 for tls when left out', 1, 65_535),
  url: text(
    'http: what to ask for; http:// or https://, without credentials',
    'https?://[^\\s/?#@\\\\]{1,300}(?:[/?][^\\s#\\\\]{0,1700})?',
  ),
  method: { ...text('http: the method', 'GET|HEAD'), default: 'GET' },
  expect_status: whole('http: the status that is good; any of 200 to 299 when left out', 100, 599),
  body_contains: text('http: text that the first megabyte of the answer must hold', '[^]{1,1000}'),
  address: text('dns: address that must be among the answers', '[0-9A-Fa-f:.]{2,45}'),
  server: text(
    'dns: address of the server to ask, e.g. "10.0.0.2"; otherwise the host\'s own way of finding names',
    '[0-9A-Fa-f:.]{2,45}',
  ),
  server_port: whole('dns: port of that server', 1, 65_535, 53),
  server_name: text('tls: name in the certificate, when it is not host', HOST_NAME),
  min_valid_days: whole('tls, https: the certificate must hold for so many days more', 0, 3650, 0),
  trusted: flag('tls, https: whether the certificate must be signed by an authority that this host trusts', true),
  max_latency_ms: whole('an answer that took longer is no good', 1, 60_000),
  timeout_ms: whole('the check gives up after this long', 100, 60_000, 5000),
};

const DIAGNOSTICS_COLLECT: ActionArguments['named'] = {
  unit: { ...unit, required: false, description: 'unit whose status, journal and main process are collected as well' },
  stack: flag(
    "the stacks of the unit's main process, too: from the kernel, and from eu-stack or gdb where the host has one",
    false,
  ),
  quit_signal: flag(
    'the main process of the unit is sent SIGQUIT, to which a Java or Go program answers with its stacks; most others die of it',
    false,
  ),
  journal_lines: whole('lines of the journal, of the unit and of the host', 10, 20_000, 2000),
};

/** An absolute path without `.`, `..`, empty segments or control characters. */
const ABSOLUTE_PATH = '(?:/(?!\\.{1,2}(?:/|$))[^/\\u0000-\\u001f\\u007f]{1,255}){1,32}';
const DAY_S = 86_400;

const SYSTEMD_START: ActionArguments['named'] = {
  unit,
  stable_s: whole('the unit must stay active for so many seconds after the job', 0, 60, 2),
};

/** Which processes: `unit` and `exe` say where to look, the rest narrows. */
const PROCESSES: ActionArguments['named'] = {
  unit: { ...unit, required: false, description: 'only processes of this unit, by control group' },
  exe: text('only processes whose executable is exactly this file, e.g. "/usr/bin/java"', ABSOLUTE_PATH),
  min_age_s: whole('only processes at least this old, in seconds', 0, 3650 * DAY_S),
  min_rss_mb: whole('only processes that hold at least so many MiB of memory', 0, 16 * 1024 * 1024),
  min_cpu_percent: whole('only processes that use at least so much of one CPU now, over half a second', 0, 100_000),
};

const PROCESS_LIST: ActionArguments['named'] = {
  ...PROCESSES,
  sort_by: { ...text('what the greatest come first by', 'cpu|memory|age'), default: 'cpu' },
  limit: whole('shows so many', 1, 50, 20),
};

const PROCESS_KILL: ActionArguments['named'] = {
  ...PROCESSES,
  signal: { ...text('first signal', 'TERM|INT|HUP|QUIT|ABRT|USR1|USR2|KILL'), default: 'TERM' },
  then_kill: flag('whether what still runs after grace_s is sent KILL', true),
  grace_s: whole('seconds between the first signal and KILL', 0, 300, 10),
  max: whole('when more processes than this match, none is signalled', 1, 100, 1),
};

const LOGS_TAIL: ActionArguments['named'] = {
  unit: { ...unit, required: false, description: 'only of this unit' },
  since_s: whole('only of so many seconds past', 1, 30 * DAY_S, 3600),
  priority: text('only this priority and worse', 'emerg|alert|crit|err|warning|notice|info|debug'),
  contains: text('only lines that hold this text, letter by letter', '[^\\u0000-\\u001f\\u007f]{1,200}'),
  lines: whole('so many lines at most', 1, 500, 50),
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
  'disk.clean': {
    description: 'deletes old journal files, cached packages, or files that a clean block of the host names',
    named: DISK_CLEAN,
    others: null,
  },
  'network.check': {
    description: 'looks whether a name, a port, an HTTP address or a certificate is as it should be; changes nothing',
    named: NETWORK_CHECK,
    others: null,
  },
  'diagnostics.collect': {
    description: 'writes what tells of the state of the host, and of one unit, into a bundle that stays on the host',
    named: DIAGNOSTICS_COLLECT,
    others: null,
  },
  'systemd.restart': {
    description: 'restarts a systemd unit, waits for the job, and for the unit to stay active',
    named: SYSTEMD_START,
    others: null,
  },
  'systemd.start': {
    description: 'starts a systemd unit, waits for the job, and for the unit to stay active',
    named: SYSTEMD_START,
    others: null,
  },
  'systemd.stop': { description: 'stops a systemd unit and waits for the job', named: { unit }, others: null },
  'systemd.reload': {
    description: 'makes an active systemd unit read its configuration again; one that cannot is refused',
    named: SYSTEMD_START,
    others: null,
  },
  'systemd.reset-failed': {
    description: 'clears the failure of one systemd unit, or of all that have failed, and their start limits',
    named: {
      unit: { ...unit, required: false },
      all: flag('every unit that has failed; instead of unit', false),
    },
    others: null,
  },
  'systemd.status': {
    description: 'reads the state of a systemd unit; changes nothing',
    named: { unit },
    others: null,
  },
  'node.facts': {
    description: 'reads load, memory, disks, uptime, pressure and the busiest processes; changes nothing',
    named: {
      top: whole('so many processes, by CPU and by memory', 0, 20, 5),
      path: text('a folder whose file system is measured as well, by itself: the facts path_*', `/|${ABSOLUTE_PATH}`),
    },
    others: null,
  },
  'node.reboot': {
    description: 'reboots the host, at most once, and ends when it is up again; refused while a person is logged in',
    named: { force_with_users: flag('even while a person is logged in', false) },
    others: null,
  },
  'process.list': {
    description: 'lists processes with age, memory and CPU; changes nothing',
    named: PROCESS_LIST,
    others: null,
  },
  'process.kill': {
    description:
      'signals processes of a unit, or of one executable from a minimum age on; never pid 1, kernel threads or Fettle itself',
    named: PROCESS_KILL,
    others: null,
  },
  'logs.tail': {
    description: 'reads the newest lines of the journal; changes nothing',
    named: LOGS_TAIL,
    others: null,
  },
};
