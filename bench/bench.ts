/** `npm run bench -- NAME [--json] [--quick]`: one measurement, each beside its peer or floor in the same run. */
import { parseArgs } from 'node:util';
import { agentBench } from './agent.ts';
import { tableText, type Bench } from './bench-run.ts';
import { gateBench } from './gate.ts';
import { machine } from './machine.ts';
import { pathBench } from './path.ts';
import { reducerBench } from './reducer.ts';
import { stormBench } from './storm.ts';

const BENCHES: Readonly<Record<string, Bench>> = {
  path: pathBench,
  agent: agentBench,
  reducer: reducerBench,
  gate: gateBench,
  storm: stormBench,
};

const HELP = `Measures Fettle on this machine. Usage: npm run bench -- NAME [--json] [--quick]

  path    request → action begins, and remedies per second, beside bare Temporal (about 3 minutes)
  agent   memory, CPU, start and actions of the packaged agent, beside others; then 200 at once (about 8 minutes)
  reducer decisions per second of the gate's reducer, its snapshot, the replay of its history (about 1 minute)
  gate    admissions per second through one gate, beside single Updates and a check by Visibility (about 4 minutes)
  storm   a thousand nodes' alerts at once against a health floor of 5 % (about 1 minute)

  --json      the last line of output is one JSON document
  --quick     few samples: whether it works, not how fast it is
  --minutes M how long idle agents are watched; default 4
  --agents N  how many at once; default 200, or as many as memory allows
  --help      this text

Example: npm run bench -- path --json
`;

const { values, positionals } = parsed();
const [name = ''] = positionals;
const bench = BENCHES[name];
if (values.help === true) process.stdout.write(HELP);
else if (bench === undefined || positionals.length > 1) usage(`name one bench: ${Object.keys(BENCHES).join(', ')}`);
else await run(bench, values);

async function run(
  chosen: Bench,
  options: { json?: boolean; quick?: boolean; minutes?: string; agents?: string },
): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const where = await machine();
  if (where.load > 0.5) say(`the machine is not quiet (load ${where.load.toFixed(2)}): trust ratios, not numbers`);
  const [minutes, agents] = [number(options.minutes), number(options.agents)];
  const result = await chosen({ quick: options.quick === true, minutes, agents, say });
  const { cores, cpu, memory_gib, kernel, node, temporal, temporal_sdk, date } = where;
  process.stdout.write(`${cores} cores of ${cpu}, ${memory_gib} GiB, ${kernel}, Node ${node}, ${temporal}, `);
  process.stdout.write(`SDK ${temporal_sdk}, ${date}\n\n`);
  for (const table of result.tables) process.stdout.write(`${tableText(table)}\n`);
  for (const note of result.notes) process.stdout.write(`${note}\n`);
  if (options.json === true)
    process.stdout.write(`${JSON.stringify({ [result.name]: result.json, ...result.others, machine: where })}\n`);
}

function number(text: string | undefined): number | null {
  return text === undefined ? null : Number(text);
}

function parsed() {
  const options = {
    json: { type: 'boolean' },
    quick: { type: 'boolean' },
    help: { type: 'boolean' },
    minutes: { type: 'string' },
    agents: { type: 'string' },
  } as const;
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
