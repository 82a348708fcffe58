/** For tests of commands: an Io that remembers, and a coordinator over real HTTP that answers as it is told. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ApiEvent, ApiExecution, ApiExecutionDetail, ApiPendingRequest, ApiStatus } from '../workflows/api.ts';
import { runCommandLine } from './command-line.ts';
import type { ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';

export const NOW = Date.parse('2026-11-21T12:00:00Z');

export type TestIo = Io & {
  readonly out: () => string;
  readonly err: () => string;
  readonly abort: () => void;
  readonly hangup: () => void;
};

/** Not a terminal unless `columns` says how wide it is. */
export function testIo(options: { env?: Record<string, string>; columns?: number; now?: () => number } = {}): TestIo {
  const text = { out: '', err: '' };
  const stop = new AbortController();
  const hangups = new Set<() => void>();
  return {
    stdout: { write: (more) => void (text.out += more) },
    stderr: { write: (more) => void (text.err += more) },
    self: ['/usr/bin/fettle'],
    env: { HOME: '/nonexistent', ...options.env },
    isTty: options.columns !== undefined,
    columns: options.columns ?? null,
    now: options.now ?? (() => NOW),
    signal: stop.signal,
    onHangup: (listener) => {
      hangups.add(listener);
      return () => void hangups.delete(listener);
    },
    out: () => text.out,
    err: () => text.err,
    abort: () => stop.abort('SIGINT'),
    hangup: () => hangups.forEach((listener) => listener()),
  };
}

export type Asked = { readonly method: string; readonly path: string; readonly body: unknown };
/** A JSON body with its status, or a whole answer by hand. */
export type Answer =
  | { readonly status: number; readonly body: unknown; readonly headers?: Record<string, string> }
  | ((response: ServerResponse, request: IncomingMessage) => void);
/** By `METHOD /path` without query; a list is answered in turn, its last one for ever. */
export type Script = Readonly<Record<string, Answer | readonly Answer[]>>;

export type ScriptedCoordinator = AsyncDisposable & {
  readonly url: string;
  readonly asked: readonly Asked[];
  /** Runs `fettle WORDS --coordinator URL` against it. */
  readonly fettle: (words: readonly string[], io?: TestIo) => Promise<{ code: ExitCode; out: string; err: string }>;
};

export async function scriptedCoordinator(script: Script): Promise<ScriptedCoordinator> {
  const asked: Asked[] = [];
  const counts = new Map<string, number>();
  const answerTo = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const path = request.url ?? '';
    const name = `${request.method} ${path.split('?')[0]}`;
    asked.push({ method: request.method ?? '', path, body: text === '' ? null : JSON.parse(text) });
    const turn = counts.get(name) ?? 0;
    counts.set(name, turn + 1);
    const entry = script[name];
    const answer = Array.isArray(entry)
      ? (entry as readonly Answer[])[Math.min(turn, entry.length - 1)]
      : (entry as Answer);
    if (answer === undefined) return sendJson(response, 404, { code: 'no_route', message: `no script for ${name}` });
    if (typeof answer === 'function') return answer(response, request);
    return sendJson(response, answer.status, answer.body, answer.headers);
  };
  const server = createServer((request, response) => void answerTo(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    asked,
    fettle: async (words, io = testIo()) => {
      const code = await runCommandLine([...words, '--coordinator', url], io);
      return { code, out: io.out(), err: io.err() };
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function sendJson(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** A whole event stream, with its last word unless the connection is to be lost before it. */
export const eventStream =
  (events: readonly ApiEvent[], end: 'end' | 'lost' = 'end'): Answer =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    events.forEach((event, i) => response.write(`id: ${i + 1}\ndata: ${JSON.stringify(event)}\n\n`));
    if (end === 'end') response.end('event: end\ndata: {}\n\n');
    else response.destroy();
  };

export const EXECUTION: ApiExecution = {
  id: 'restart-service:web-1:1-7',
  workflow: 'restart-service',
  target: 'web-1',
  node: 'web-1',
  node_type: 'web',
  datacenter: 'dc1',
  state: 'running',
  outcome: null,
  caller: 'spiffe://example.com/person/oncall',
  started_at: '2026-11-21T11:56:00Z',
  closed_at: null,
};

export const DETAIL: ApiExecutionDetail = {
  ...EXECUTION,
  state: 'closed',
  outcome: 'healed',
  closed_at: '2026-11-21T11:56:14Z',
  message: 'the query held for 10s',
  verified: true,
  reason: 'alert WebDown',
  dry_run: false,
  plan: 'sha256-abc',
  request: 'req-1',
  args: { unit: 'web.service' },
  evidence: {
    summary: 'probe_success is 0',
    source: 'prometheus.main/web-wedged',
    observed_at: '2026-11-21T11:55:58Z',
    valid_until: '2026-11-21T11:57:58Z',
    labels: { node: 'web-1' },
  },
  steps: [
    {
      step: 'restart',
      action: 'systemd.restart',
      attempt: 1,
      node: 'web-1',
      permittedAt: Date.parse('2026-11-21T11:56:01Z'),
      began: Date.parse('2026-11-21T11:56:02Z'),
      ended: Date.parse('2026-11-21T11:56:03Z'),
      result: {
        status: 'done',
        output: { facts: { active_state: 'active' }, exitCode: 0, tail: 'one\ntwo', digest: 'x', bytes: 8 },
      },
    },
  ],
  timeline: [{ at: '2026-11-21T11:56:00Z', event: 'admitted', message: 'lease 1-7' }],
};

/** All is well, but for an orphan and a warning. */
export const STATUS: ApiStatus = {
  coordinator: 'c1',
  version: '0.1.0',
  domain: 'main',
  temporal: { address: '127.0.0.1:7233', connected: true },
  gate: {
    state: 'open',
    leases: 2,
    orphaned: 1,
    waiting: 0,
    detail: null,
    pauses: [],
    windows: [],
    breakers: [],
    orphans: [],
    disagreements: [],
  },
  fleet: { state: 'ready', alive: 3 },
  strays: [],
  config: { files: [{ file: '/etc/fettle/coordinator.hcl', loaded_at: '2026-11-21T11:00:00Z', problems: [] }] },
  warnings: ['route_rule "global_post" is public'],
};

export const PENDING: ApiPendingRequest = {
  pending: 'pending:4k9',
  waits_for: 'approval',
  message: 'waits for a yes',
  reasons: [],
  place: 0,
  asks_again_at: '2026-11-21T12:05:00Z',
  expires_at: '2026-11-21T13:00:00Z',
  workflow: 'restart-service',
  target: 'web-2',
  request: 'req-2',
  caller: 'spiffe://example.com/person/bob',
  since: '2026-11-21T11:59:00Z',
  plan: 'plan-abc',
  approved_by: null,
};
