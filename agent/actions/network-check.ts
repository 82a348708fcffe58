import type { Scalar } from '../../workflows/contract.ts';
import { RefusalError } from '../refusal.ts';
import { type Action, type ActionEnd, type ActionRun, factsOnly } from './action.ts';
import { argumentCheck } from './argument-check.ts';
import { cutShort, failed, within } from './ending.ts';
import { dnsProbe, httpProbe, type Probe, tcpProbe, tlsProbe } from './network-probes.ts';

const check = argumentCheck('network.check');

/** Asks the network one question from where this host stands. */
export const networkCheck: Action = {
  name: 'network.check',
  capped: true,
  page: {
    about: [
      'One question from where the host stands. It fails when the answer is not as asked, so a workflow can decide by it, or `verify` with it. Redirects are not followed: a 302 is an answer like any other. Authorities are those of the host beside those that come with the program.',
      'Each kind takes its own arguments: `dns` host, address, server, server_port; `tcp` host, port; `tls` host, port, server_name, min_valid_days, trusted; `http` url, method, expect_status, body_contains, min_valid_days, trusted. Without `server` a name is found as programs of the host find it, /etc/hosts included.',
      'A host that lets coordinators ask anything lets them look around its network: bound `url` and `host` in the allow block.',
    ],
    facts: {
      'kind, ok, latency_ms':
        'what was asked, whether it is good, how long the answer took (http: until the status was there)',
      'host, port, url': 'as asked',
      'answers, addresses': 'dns: how many addresses, and which',
      address: 'tcp: the address that answered',
      'protocol, trusted, valid_days, not_after, issuer': 'tls and https: of the certificate',
      'status, body_bytes, body_contains': 'http: of the answer; the first megabyte is read',
    },
    rehearsal: 'the same as a run: it changes nothing.',
    example: { kind: 'http', url: 'http://127.0.0.1:8080/health', expect_status: 200, max_latency_ms: 1000 },
  },
  prepare(args) {
    const given = check(args);
    const kind = String(given['kind']);
    checkFitting(kind, Object.keys(args));
    const asked = { kind, probe: KINDS[kind]!.probe(given), given };
    return {
      rehearse: async (run) => (await look(asked, run)).output,
      run: (run) => look(asked, run),
      worksOn: async () => false,
    };
  },
};

const refuse = (message: string): RefusalError => new RefusalError('args_invalid', `network.check: ${message}`);

type Given = Readonly<Record<string, Scalar>>;
const text = (given: Given, name: string): string | null => (given[name] === undefined ? null : String(given[name]));
const number = (given: Given, name: string): number | null => (given[name] === undefined ? null : Number(given[name]));
const certificate = (given: Given) => ({
  minValidDays: Number(given['min_valid_days']),
  trusted: given['trusted'] === true,
});

type Kind = {
  readonly needs: readonly string[];
  readonly takes: readonly string[];
  readonly probe: (given: Given) => Probe;
};
const KINDS: Readonly<Record<string, Kind>> = {
  dns: {
    needs: ['host'],
    takes: ['address', 'server', 'server_port'],
    probe: (given) => {
      const server = text(given, 'server');
      const shown = server?.includes(':') === true ? `[${server}]` : server;
      return dnsProbe({
        host: String(given['host']),
        address: text(given, 'address'),
        server: shown === null ? null : `${shown}:${Number(given['server_port'])}`,
      });
    },
  },
  tcp: {
    needs: ['host', 'port'],
    takes: [],
    probe: (given) => tcpProbe(String(given['host']), Number(given['port'])),
  },
  tls: {
    needs: ['host'],
    takes: ['port', 'server_name', 'min_valid_days', 'trusted'],
    probe: (given) =>
      tlsProbe({
        host: String(given['host']),
        port: number(given, 'port') ?? 443,
        serverName: text(given, 'server_name') ?? String(given['host']),
        ...certificate(given),
      }),
  },
  http: {
    needs: ['url'],
    takes: ['method', 'expect_status', 'body_contains', 'min_valid_days', 'trusted'],
    probe: (given) =>
      httpProbe({
        url: String(given['url']),
        method: String(given['method']),
        expectStatus: number(given, 'expect_status'),
        bodyContains: text(given, 'body_contains'),
        ...certificate(given),
      }),
  },
};

function checkFitting(kind: string, names: readonly string[]): void {
  const { needs, takes } = KINDS[kind]!;
  const missing = needs.filter((name) => !names.includes(name));
  if (missing.length > 0) throw refuse(`kind = "${kind}" needs ${missing.join(' and ')}`);
  const fitting = ['kind', 'max_latency_ms', 'timeout_ms', ...needs, ...takes];
  const strange = names.filter((name) => !fitting.includes(name));
  if (strange.length > 0)
    throw refuse(`kind = "${kind}" does not take ${strange.join(', ')}; it takes ${fitting.join(', ')}`);
}

type Asked = { readonly kind: string; readonly probe: Probe; readonly given: Given };

async function look({ kind, probe, given }: Asked, run: ActionRun): Promise<ActionEnd> {
  const timeoutMs = Math.min(Number(given['timeout_ms']), run.timeoutMs);
  const signal = within(run, timeoutMs);
  try {
    const { facts, latencyMs, fault } = await probe(signal);
    const slowest = number(given, 'max_latency_ms');
    const slow =
      slowest !== null && latencyMs > slowest ? `took ${latencyMs} ms, and ${slowest} ms would be good` : null;
    const output = factsOnly({ kind, ok: fault === null && slow === null, latency_ms: latencyMs, ...facts });
    const wrong = fault ?? slow;
    return wrong === null ? { status: 'done', output } : failed('exit', `${kind}: ${wrong}`, output);
  } catch (error) {
    const output = factsOnly({ kind, ok: false });
    if (run.signal.aborted) return failed('cancelled', `${kind}: was called off`, output);
    if (signal.aborted) return failed(cutShort(run), `${kind}: no answer within ${timeoutMs} ms`, output);
    const { code } = error as NodeJS.ErrnoException;
    return failed('exit', `${kind}: no answer (${code ?? 'error'})`, output);
  }
}
