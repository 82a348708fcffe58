/**
 * V8's compiled form of a light part, written beside it: a start then compiles next to nothing, and what compiling leaves in memory
 * (10 MB) is not there. It fits one version of Node with the launcher's flags; any other ignores it.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { LIGHT_FLAGS } from './flags.ts';

const DEADLINE_MS = 60_000;
/** How long the part runs before it is told to end. */
const WARM_MS = 1_500;

/** Runs the part with a configuration whose Temporal is away, and keeps what that compiled. @throws when nothing was kept */
export async function writeCodeCache(out: string, part: string): Promise<void> {
  const dir = await mkdtemp(path.join(tmpdir(), 'fettle-cache-'));
  try {
    const ca = path.join(dir, 'ca');
    const fettle = (...words: string[]): Promise<void> => node([path.join(out, 'fettle.mjs'), ...words]);
    await fettle('ca', 'init', '--dir', ca, '--trust-domain', 'example.com');
    await fettle('ca', 'issue', 'agent/dc1/web/web-1', '--dir', ca, '--out', dir);
    await fettle('ca', 'grant-key', '--out', dir);
    const config = path.join(dir, 'agent.hcl');
    await writeFile(config, configuration(dir) + (part === 'agent-helper' ? helper(dir) : ''));
    const script = path.join(dir, 'warm-up.cjs');
    await writeFile(script, warmUp(out, part));
    await node([...LIGHT_FLAGS, script, part, ...words(part, config)]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

const words = (part: string, config: string): string[] =>
  part === 'agent-files' ? [config] : ['--config', config, '--log-level', 'error'];

/** To a helper it is a question, the others read nothing. */
const INPUT = '{"ask":"recall","grant":""}\n';

async function node(words: readonly string[]): Promise<void> {
  const running = promisify(execFile)(process.execPath, words, { timeout: DEADLINE_MS });
  running.child.stdin?.on('error', () => undefined).end(INPUT);
  await running;
}

const warmUp = (out: string, part: string): string => `
  const { compilePart, runPart } = require(${JSON.stringify(path.join(out, 'start.js'))});
  const part = compilePart(${JSON.stringify(part)}, ${JSON.stringify(out)});
  process.argv[1] = ${JSON.stringify(path.join(out, 'start.js'))};
  process.on('exit', () => require('node:fs').writeFileSync(part.file + '.cache', part.script.createCachedData()));
  setTimeout(() => process.emit('SIGTERM'), ${WARM_MS});
  runPart(part);`;

const configuration = (dir: string): string => `
state_dir = "${dir}/state"
identity {
  certificate = "${dir}/svid.pem"
  key         = "${dir}/svid.key"
  bundle      = "${dir}/bundle.pem"
}
temporal {
  address = "127.0.0.1:9"
}
coordinator {
  issuer     = "spiffe://example.com/coordinator"
  grant_keys = ["${dir}/grant.pub"]
}
allow "ping" {}
`;

const helper = (dir: string): string => `
helper {
  state_dir = "${dir}/helper"
  spiffe_id = "spiffe://example.com/agent/dc1/web/web-1"
}
`;
