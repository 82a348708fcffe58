/** A site whose workflows take every path an execution can take, on commands that leave a mark in a file each time they run. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import type { CoordinatorClient } from '../../identity/coordinator-client.ts';
import type { ApiExecutionDetail, ApiRequest } from '../../workflows/api.ts';
import { startExporter, startPrometheus, type Exporter } from './prometheus.ts';
import { makeSite, type Site } from './site.ts';

export type PathsSite = AsyncDisposable & {
  readonly site: Site;
  readonly client: CoordinatorClient;
  readonly exporter: Exporter;
  /** Marks that commands left under a name, in order. */
  readonly marks: (name: string) => Promise<string[]>;
  /** Bodies that the notify webhook got. */
  readonly notified: () => readonly { execution: string; outcome: string; message: string }[];
  /** Asks, and waits until the execution has ended. */
  readonly run: (request: ApiRequest) => Promise<ApiExecutionDetail>;
};

const step = (name: string, command: string, more = ''): string => `
step "${name}" {
  action  = "exec"
  args    = { command = "${command}", mark = "\${input.mark}" }
  timeout = "20s"
  ${more}
}
`;
const input = `
input "mark" {
  type    = "string"
  pattern = "[a-z0-9-]+"
}
`;
const verify = (query: string, timeout = '20s'): string => `
verify {
  source  = "prometheus.main"
  query   = ${JSON.stringify(query)}
  for     = "1s"
  every   = "250ms"
  timeout = "${timeout}"
}
`;

export const PATH_WORKFLOWS: Readonly<Record<string, string>> = {
  heal: `${input}${step('fix', 'mark')}${verify('service_healthy{node="${target.node}"} == 1')}`,
  'not-helping': `${input}${step('fix', 'mark')}
undo "unfix" {
  of      = "fix"
  action  = "exec"
  args    = { command = "mark", mark = "\${input.mark}-undone" }
  timeout = "20s"
}
${verify('service_healthy{node="${target.node}"} == 7', '3s')}
on_failure {
  notify = "oncall"
}`,
  failing: `${input}${step('first', 'mark')}
undo "undo-first" {
  of      = "first"
  action  = "exec"
  args    = { command = "mark", mark = "\${input.mark}-undone" }
  timeout = "20s"
}
${step('second', 'fail', 'retry = { attempts = 2, wait = "200ms" }')}
on_failure {
  notify = ["oncall"]
  step "report" {
    action  = "exec"
    args    = { command = "mark", mark = "\${input.mark}-reported" }
    timeout = "20s"
  }
}`,
  slow: `${input}${step('wait', 'slow')}
undo "unwait" {
  of      = "wait"
  action  = "exec"
  args    = { command = "mark", mark = "\${input.mark}-undone" }
  timeout = "20s"
}`,
  'timing-out': `${input}
step "hang" {
  action  = "exec"
  args    = { command = "slow", mark = "\${input.mark}" }
  timeout = "1s"
}`,
  'two-steps': `${input}${step('one', 'mark')}${step('two', 'mark', 'when = "still_firing"')}`,
  'look-then-fix': `${input}
step "look" {
  action  = "ping"
  timeout = "20s"
}
${step('fix', 'mark')}`,
  'slow-then-fix': `${input}${step('begin', 'slow')}${step('finish', 'mark', 'when = "still_firing"')}`,
  forbidden: `
step "stop" {
  action  = "systemd.stop"
  args    = { unit = "ssh.service" }
  timeout = "5s"
}`,
  'asks-host': `${input}${step('notes', 'fail', 'may_fail = true')}${step('fix', 'mark')}
verify {
  action  = "exec"
  args    = { command = "second-time", mark = "\${input.mark}-looks" }
  every   = "200ms"
  for     = "300ms"
  timeout = "20s"
}`,
  'host-disagrees': `${input}${step('fix', 'mark')}
undo "unfix" {
  of      = "fix"
  action  = "exec"
  args    = { command = "mark", mark = "\${input.mark}-undone" }
  timeout = "20s"
}
verify {
  action  = "ping"
  expect  = { agent_version = "of another world" }
  every   = "500ms"
  timeout = "1s"
}`,
  anywhere: `task_queue_target = "general"\n${input}${step('do', 'mark')}`,
  'on-type': `task_queue_target = "node_type"\n${input}${step('do', 'mark')}`,
  'restart-if-down': `
input "unit" {
  type    = "string"
  pattern = "[A-Za-z0-9@._-]+\\\\.service"
}`,
};

const actions = (dir: string): string => {
  const sh = (script: string): string => JSON.stringify(['/bin/sh', '-c', script, 'sh', `${dir}/{mark}.marks`]);
  const command = (name: string, script: string): string =>
    `command "${name}" {\n  argv = ${sh(script)}\n  timeout = "60s"\n  input "mark" {\n    pattern = "[a-z0-9-]+"\n  }\n}\n`;
  return [
    command('mark', 'echo done >> "$1"'),
    command('fail', 'echo failed >> "$1"; echo cannot >&2; exit 3'),
    command('second-time', 'echo look >> "$1"; test $(wc -l < "$1") -ge 2'),
    command('slow', 'echo begun >> "$1"; sleep 4; echo ended >> "$1"'),
  ].join('\n');
};

export async function startPathsSite(marksDir: string): Promise<PathsSite> {
  await using stack = new AsyncDisposableStack();
  const exporter = stack.use(await startExporter('service_healthy{node="web-1"} 1'));
  const prometheus = stack.use(await startPrometheus({ scrape: [exporter.port] }));
  const inbox = stack.use(await startInbox());
  const site = stack.use(
    await makeSite({
      nodes: [
        { name: 'web-1', type: 'web' },
        { name: 'web-2', type: 'web' },
      ],
      workflows: PATH_WORKFLOWS,
      prometheus: prometheus.url,
      actions: actions(marksDir),
      allow: 'allow "exec" {}\nallow "ping" {}\nallow "systemd.status" {}\nallow "systemd.restart" {}',
      coordinator: `notify "oncall" {\n  kind = "webhook"\n  url  = "http://127.0.0.1:${inbox.port}/hook"\n}`,
    }),
  );
  await site.startAll();
  const client = await site.client();
  stack.defer(() => client[Symbol.asyncDispose]());
  const owned = stack.move();
  return {
    site,
    client,
    exporter,
    notified: () => inbox.bodies,
    marks: (name) => readMarks(path.join(marksDir, `${name}.marks`)),
    run: async (request) => {
      const decision = await client.request(request);
      if (!('execution' in decision)) throw new Error(`${decision.decision}: ${decision.message}`);
      return ended(client, decision.execution);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Follows an execution to its end. */
export async function ended(client: CoordinatorClient, id: string): Promise<ApiExecutionDetail> {
  for await (const _ of client.executionEvents(id));
  return client.getExecution(id);
}

export async function readMarks(file: string): Promise<string[]> {
  try {
    return (await readFile(file, 'utf8')).trim().split('\n');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

type Inbox = AsyncDisposable & {
  readonly port: number;
  readonly bodies: { execution: string; outcome: string; message: string }[];
};

async function startInbox(): Promise<Inbox> {
  const bodies: Inbox['bodies'] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      bodies.push(JSON.parse(Buffer.concat(parts).toString('utf8')));
      response.writeHead(204).end();
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    bodies,
    [Symbol.asyncDispose]: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(() => done()));
    },
  };
}
