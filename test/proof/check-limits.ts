/** `npm run check:limits -- --address HOST:PORT`: whether the limits held, from Temporal's record alone. */
import { readFile } from 'node:fs/promises';
import { printableJson } from '../../cmd/printable.ts';
import { errorMessage } from '../../identity/error-message.ts';
import { checkRecord } from './checks/all-checks.ts';
import { readRecord } from './read-record.ts';
import type { ProofRecord } from './record.ts';
import { countsOf, reportText } from './report.ts';
import { runTool, UsageError } from '../support/tool.ts';

const HELP = `Says whether the limits held, from Temporal's record alone: the gate's journal, executions, receipts.

Usage: npm run check:limits -- --address HOST:PORT | --record FILE [--domain NAME] [--since TIME] [--effects FILE] [--json]

  --address HOST:PORT  Temporal's frontend
  --record FILE        what a drill kept of its record, instead of Temporal
  --domain NAME        the gate's domain (default: main)
  --since TIME         looks only at what happened from then on, e.g. 2026-11-21T15:00:00Z (default: all that is kept)
  --effects FILE       JSON lines that the actions' own commands wrote on hosts, as evidence beside receipts
  --json               the last line of output is one JSON document
  --help               this text

Exit: 0 nothing found, 1 something was exceeded, doubled or lost, 2 usage, 3 the record could not be read.

Example: npm run check:limits -- --address 127.0.0.1:7233 --since 2026-11-21T15:00:00Z
`;

const options = {
  address: { type: 'string' },
  record: { type: 'string' },
  domain: { type: 'string', default: 'main' },
  since: { type: 'string' },
  effects: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

process.exitCode = await runTool(HELP, options, async (values) => {
  const { address, domain } = values;
  const since = values.since === undefined ? 0 : Date.parse(values.since);
  if (values.record !== undefined) return say(await kept(values.record), since, values.json);
  if (address === undefined) throw new UsageError("--address is missing: write where Temporal's frontend listens");
  if (Number.isNaN(since)) throw new UsageError(`--since ${values.since}: no time; write it as 2026-11-21T15:00:00Z`);
  return await check({ address, domain, since, effects: values.effects ?? null, json: values.json });
});

async function check(wanted: Parameters<typeof readRecord>[0] & { json: boolean }): Promise<number> {
  let record;
  try {
    record = await readRecord(wanted);
  } catch (error) {
    process.stderr.write(
      `cannot read the record of domain "${wanted.domain}" at ${wanted.address}: ${errorMessage(error)}\n`,
    );
    return 3;
  }
  return say(record, wanted.since, wanted.json);
}

async function kept(file: string): Promise<ProofRecord> {
  return JSON.parse(await readFile(file, 'utf8')) as ProofRecord;
}

function say(record: ProofRecord, since: number, json: boolean): number {
  const findings = checkRecord(record).filter(({ at }) => at >= since);
  process.stdout.write(reportText(record, findings));
  if (json) process.stdout.write(`${printableJson({ ...countsOf(record, findings), findings }, 0)}\n`);
  return findings.length === 0 ? 0 : 1;
}
