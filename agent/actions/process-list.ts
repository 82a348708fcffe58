import { type Action, type ActionEnd, factsOnly } from './action.ts';
import { argumentCheck } from './argument-check.ts';
import { askedFor, type Criteria, criteriaOf, type Match, processTable, select, sums } from './process-selection.ts';

const check = argumentCheck('process.list');

/** Processes with age, memory and CPU, the greatest first. Without arguments of its own: all of the host. */
export const processList: Action = {
  name: 'process.list',
  capped: true,
  page: {
    about: [
      'All processes of the host but kernel threads, or those of a unit or an executable. Where the agent may not look at the executable of another user, a process is known by what it calls itself, and has a `~` before that. No arguments and no environment: they may hold secrets.',
    ],
    facts: {
      'unit, exe': 'as asked',
      'matched, shown': 'how many fit, and how many of them the table has',
      'rss_mb, cpu_percent, oldest_age_s': 'of all that fit: sum, sum over half a second, maximum',
    },
    rehearsal: 'the same as a run: it changes nothing.',
    example: { sort_by: 'memory', limit: 10 },
  },
  prepare(args) {
    const { sort_by: sortBy, limit, ...wanted } = check(args);
    const look = (): Promise<ActionEnd> =>
      list(criteriaOf(wanted), ORDER[String(sortBy)]!, Number(limit), askedFor(wanted));
    return {
      rehearse: async () => (await look()).output,
      run: look,
      worksOn: async () => false,
    };
  },
};

const ORDER: Readonly<Record<string, (match: Match) => number>> = {
  cpu: ({ cpuPercent }) => cpuPercent,
  memory: ({ rssBytes }) => rssBytes,
  age: ({ ageS }) => ageS,
};

async function list(
  criteria: Criteria,
  by: (match: Match) => number,
  limit: number,
  asked: ReturnType<typeof askedFor>,
): Promise<ActionEnd> {
  const found = (await select(criteria, true)).filter(({ kernelThread }) => !kernelThread);
  const shown = found.toSorted((a, b) => by(b) - by(a)).slice(0, limit);
  const facts = { ...asked, ...sums(found), shown: shown.length };
  return { status: 'done', output: factsOnly(facts, processTable(shown)) };
}
