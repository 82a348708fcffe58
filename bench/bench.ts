/** `npm run bench -- NAME [--json] [--quick]`: one measurement, each beside its peer or floor in the same run. */
import { parseArgs } from 'node:util';
import { agentIdleBench } from './agent-idle.ts';
import { tableText, type Bench } from './bench-run.ts';
import { gateBench } from './gate.ts';
import { machine } from './machine.ts';
import { pathBench } from './path.ts';
import { reducerBench } from './reducer.ts';
import { stormBench } from './storm.ts';

const BENCHES: Readonly<Record<string, Bench>> = {
  path: pathBench,
  'agent-idle': agentIdleBench,
  reducer: reducerBench,
  gate: gateBench,
  storm: stormBench,
};

const HELP = `Measures Fettle on this machine. Usage: npm run bench -- NAME [--json] [--quick]

  path        request → action begins, and remedies per second, beside bare Temporal (about 3 minutes)
  agent-idle  memory, CPU and start of an idle connected agent, beside an empty Node process (about 2 minutes)
  reducer     decisions per second of the gate's reducer, its snapshot, the replay of its history (about 1 minute)
  gate        admissions per second through one gate, beside single Updates and a check by Visibility (about 4 minutes)
  storm       a thousand nodes' alerts at once against a health floor of 5 % (about 1 minute)

  --json      the last line of output is one JSON document
  --quick     few samples: whether it works, not how fast it is
  --help      this text

Example: npm run bench -- path --json
`;

const { values, positionals } = parsed();
const [name = ''] = positionals;
const bench = BENCHES[name];
if (values.help === true) process.stdout.write(HELP);
else if (bench === undefined || positionals.length > 1) usage(`name one bench: ${Object.keys(BENCHES).join(', ')}`);
else await run(bench, values);

async function run(chosen: Bench, options: { json?: boolean; quick?: boolean }): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const where = await machine();
  if (where.load > 0.5) say(`the machine is not quiet (load ${where.load.toFixed(2)}): trust ratios, not numbers`);
  const result = await chosen({ quick: options.quick === true, say });
  const { cores, cpu, memory_gib, kernel, node, temporal, temporal_sdk, date } = where;
  process.stdout.write(`${cores} cores of ${cpu}, ${memory_gib} GiB, ${kernel}, Node ${node}, ${temporal}, `);
  process.stdout.write(`SDK ${temporal_sdk}, ${date}\n\n`);
  for (const table of result.tables) process.stdout.write(`${tableText(table)}\n`);
  for (const note of result.notes) process.stdout.write(`${note}\n`);
  if (options.json === true)
    process.stdout.write(`${JSON.stringify({ [result.name]: result.json, machine: where })}\n`);
}

function parsed() {
  const options = { json: { type: 'boolean' }, quick: { type: 'boolean' }, help: { type: 'boolean' } } as const;
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    usage((error as Error).message);
    return { values: {}, positionals: [] as string[] };
  }
}

function usage(problem: string): void {
  process.stderr.write(`${problem}\n\n${HELP}`);
  process.exitCode = 2;
}
