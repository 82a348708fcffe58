/** `npm run drill`: a fleet under load while everything goes wrong that can, by a plan drawn from a seed; then the checker. */
import { writeFile } from 'node:fs/promises';
import { printableJson } from '../../cmd/printable.ts';
import { FAULTS } from './drill/fault-plan.ts';
import { runDrill } from './drill/run-drill.ts';
import { reportText } from './report.ts';
import { readSeed, runTool, UsageError } from '../support/tool.ts';

const HELP = `Kills, stops and cuts everything of a small fleet under load, by a plan drawn from a seed, and then checks that no
limit was exceeded, no action doubled and no request lost.

Usage: npm run drill [-- --seed N] [--minutes M] [--faults KIND,...] [--log FILE] [--record FILE] [--json]

  --seed N       the same seed gives the same plan (default: from the clock)
  --minutes M    how long faults go on; start and end come on top (default: 3)
  --faults LIST  only these: ${FAULTS.slice(0, 5).join(', ')},
                 ${FAULTS.slice(5).join(', ')}
  --log FILE     every line of every process
  --record FILE  what the checker read, to be checked again: npm run check:limits -- --record FILE
  --json         the last line of output is one JSON document
  --help         this text

Exit: 0 nothing found, 1 something was exceeded, doubled or lost, 2 usage.

Example: npm run drill -- --seed 7 --minutes 30 --json
`;

const options = {
  seed: { type: 'string' },
  minutes: { type: 'string', default: '3' },
  faults: { type: 'string', default: FAULTS.join(',') },
  log: { type: 'string' },
  record: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

process.exitCode = await runTool(HELP, options, async (values) => {
  const seed = readSeed(values.seed);
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new UsageError(`--minutes ${values.minutes}: no number of minutes`);
  const named = values.faults.split(',');
  const unknown = named.find((kind) => !FAULTS.some((known) => known === kind));
  if (unknown !== undefined) throw new UsageError(`--faults: there is no ${unknown}`);
  const kinds = FAULTS.filter((kind) => named.includes(kind));
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const { result, record } = await runDrill({ seed, minutes, kinds, log: values.log ?? null, say });
  if (values.record !== undefined) await writeFile(values.record, JSON.stringify(record));
  const { findings, ...numbers } = result;
  process.stdout.write(reportText(record, findings));
  process.stdout.write(
    `${Object.entries(numbers)
      .map(([key, value]) => `${key} ${JSON.stringify(value)}`)
      .join(', ')}\n`,
  );
  if (values.json) process.stdout.write(`${printableJson(result, 0)}\n`);
  return findings.length === 0 ? 0 : 1;
});
