/** `npm run drill:agent`: all that can befall an agent, on booted hosts, and what became of every order meanwhile. */
import { writeFile } from 'node:fs/promises';
import { arch, cpus, release, totalmem } from 'node:os';
import path from 'node:path';
import { printableJson } from '../../cmd/printable.ts';
import { errorMessage } from '../../identity/error-message.ts';
import { randomOf } from '../proof/drill/random.ts';
import { hostsLeftOut } from '../support/booted-host.ts';
import { bootHosts, DRILLS, WHOLE } from './all-drills.ts';
import { openHouse } from './house.ts';
import { pageOf, type DrillReport } from './page.ts';
import type { DrillResult } from './trial.ts';
import { readSeed, runTool, UsageError } from '../support/tool.ts';

const HELP = `Boots hosts with a real agent, breaks everything about them while they act, and compares what the
coordinator told with what happened.

Usage: npm run drill:agent [-- --seed N] [--only DRILL,...] [--one-process] [--json] [--write-docs]

  --seed N       the same seed draws the same points (default: from the clock)
  --only LIST    only these: ${Object.keys(DRILLS).slice(0, 6).join(', ')},
                 ${Object.keys(DRILLS).slice(6, 11).join(', ')},
                 ${Object.keys(DRILLS).slice(11).join(', ')}
  --one-process  without the root helper: the agent is root and does all itself
  --json         the last line of output is one JSON document
  --write-docs   puts the table into docs/failure-drills.md
  --help         this text

Exit: 0 nothing found, 1 something was done twice, lost, unexplained or believed, 2 usage, 3 hosts cannot boot here.

Example: npm run drill:agent -- --seed 7 --json
`;

const options = {
  seed: { type: 'string' },
  only: { type: 'string', default: Object.keys(DRILLS).join(',') },
  'one-process': { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  'write-docs': { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

process.exitCode = await runTool(HELP, options, async (values) => {
  const seed = readSeed(values.seed);
  const names = values.only.split(',');
  const unknown = names.find((name) => !Object.hasOwn(DRILLS, name));
  if (unknown !== undefined) throw new UsageError(`--only: there is no ${unknown}`);
  const why = hostsLeftOut();
  if (why !== null) {
    process.stderr.write(`${why}\n`);
    return 3;
  }
  const helper = !values['one-process'];
  const drills = await run(names, seed, helper);
  const report: DrillReport = { at: new Date().toISOString(), seed, helper, machine: machine(), drills };
  process.stdout.write(pageOf(report));
  const page = path.join(import.meta.dirname, '../../docs/failure-drills.md');
  if (values['write-docs']) await writeFile(page, pageOf(report));
  if (values.json) process.stdout.write(`${printableJson(report, 0)}\n`);
  return drills.every(({ findings }) => findings.length === 0) ? 0 : 1;
});

async function run(names: readonly string[], seed: number, helper: boolean): Promise<DrillResult[]> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  say(`seed ${seed}: starting Temporal, a coordinator and two hosts`);
  await using house = await openHouse({ helper, random: randomOf(seed).next, say });
  const hosts = await bootHosts(house);
  const results: DrillResult[] = [];
  for (const name of names) {
    const drill = DRILLS[name];
    if (drill === undefined || (name === 'helper-killed' && !helper)) continue;
    const began = Date.now();
    say(`${name} …`);
    const result = await drill(house, hosts, WHOLE).catch((error: unknown) => broken(name, error));
    results.push(result);
    say(`${name}: ${result.happened} (${Math.round((Date.now() - began) / 1000)} s)`);
    for (const finding of result.findings) say(`FOUND: ${finding}`);
  }
  return results;
}

/** A drill that could not be gone through to its end proves nothing. */
function broken(drill: string, error: unknown): DrillResult {
  const nothing = { did: '', orders: 0, actions: 0, told: 0, outcomes: {} };
  const none = { twice: 0, lost: 0, unexplained: 0, forged_believed: 0 };
  const findings = [`the drill broke off: ${errorMessage(error)}`];
  return { drill, ...nothing, ...none, findings, happened: 'broke off' };
}

function machine(): string {
  const processor = (cpus()[0]?.model ?? arch()).replaceAll(/\s+/g, ' ').trim();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} cores of ${processor}, ${memory} GiB, Linux ${release()}, Node ${process.versions.node}`;
}
