import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { isRunning, readProcess, signalAll } from '../procfs.ts';
import { RefusalError } from '../refusal.ts';
import { everySecret, withoutSecretBytes } from '../secret-values.ts';
import { type Action, type ActionEnd, type ActionHost, type ActionRun, factsOnly } from './action.ts';
import { argumentCheck } from './argument-check.ts';
import { capture, type Captured } from './capture.ts';
import { hostParts, mainPid, type Part, processParts, unitParts, type Wanted } from './diagnostics-parts.ts';
import { storeBundle } from './diagnostics-store.ts';
import { cutShort, failed, within } from './ending.ts';
import { tarOf } from './tar.ts';
import { isOwnUnit } from './unit-guard.ts';

const check = argumentCheck('diagnostics.collect');
const compress = promisify(gzip);

type Collection = Wanted & { readonly quit: boolean };

/**
 * Puts what tells of the state of this host into one file that stays here: only its digest, size and place leave the host. Counts as
 * changing: it writes, it may stop a process for a moment, and root reads most of it.
 */
export const diagnosticsCollect: Action = {
  name: 'diagnostics.collect',
  capped: true,
  page: {
    about: [
      "A `tar.gz` in the agent's `diagnostics_dir`, readable by root alone: busiest processes, memory and pressure, disks, sockets, dmesg, failed units, jobs, warnings of the journal; with `unit` its status, properties, journal and main process; with `stack` where every thread of that process stands, in the kernel and (eu-stack or gdb, if the host has one) in its program, which stops it for a moment. Nothing but digest, size and path leaves the host.",
      'It counts as changing: it writes, prunes, and needs root for most of what it reads. It is made for wedged hosts: every part has ten seconds of its own and is done without, stacks come first, and when systemd does not answer the process is found by its control group.',
      'Environments are not in it, command lines only where `systemctl status` shows them of the unit, and every value in `secrets_dir` is struck out. The 20 newest bundles are kept, 256 MiB in all; on a full disk the older ones go.',
    ],
    facts: {
      unit: 'as asked',
      'directory, path': 'where the bundle is',
      sha256: "of the file, as sha256sum(1) prints it; the receipt's digest is the same in base64url",
      'parts, parts_incomplete': 'how many, and how many hung, failed or have no program here',
      main_pid: 'the main process of the unit',
      after_quit_signal:
        '`runs` or `ended`: the main process, two seconds after SIGQUIT at most; `spared`: it is Fettle itself',
      pruned_bundles: 'older ones that went',
    },
    rehearsal: 'the commands it would run, and the process it would signal.',
    example: { unit: 'web.service', stack: true },
  },
  prepare(args, host) {
    const given = check(args);
    const unit = given['unit'] === undefined ? null : String(given['unit']);
    const wanted: Collection = {
      unit,
      stack: given['stack'] === true,
      quit: given['quit_signal'] === true,
      journalLines: Number(given['journal_lines']),
    };
    if (unit === null && (wanted.stack || wanted.quit)) throw refuse('stack and quit_signal need unit');
    if (unit !== null && wanted.quit && (isOwnUnit(unit) || unit === 'init.scope'))
      throw refuse(`${unit} is never sent a signal`);
    return {
      rehearse: () => rehearse(host, wanted),
      run: (run) => collect(host, wanted, run),
      worksOn: async () => false,
    };
  },
};

const refuse = (message: string): RefusalError => new RefusalError('args_invalid', `diagnostics.collect: ${message}`);
const readPid = (host: ActionHost, unit: string, signal: AbortSignal): Promise<number | null> => {
  const argv = [host.systemctl, '--no-pager', 'show', '--property=MainPID', '--', unit];
  const shown = capture({ argv, maxBytes: 4096, keep: 'head', timeoutMs: 5000 }, signal);
  return mainPid(host, unit, async () => (await shown).content.toString('latin1'));
};

async function rehearse(host: ActionHost, wanted: Collection) {
  const { unit } = wanted;
  const pid = unit === null ? null : await readPid(host, unit, AbortSignal.timeout(10_000));
  const parts = [
    ...(pid === null ? [] : await processParts(host, pid, wanted)),
    ...(unit === null ? [] : unitParts(host, unit, wanted)),
    ...hostParts(host, wanted),
  ];
  const quit = wanted.quit && pid !== null ? [`would send SIGQUIT to process ${pid}`] : [];
  const lines = parts.map(({ argv }) => `would run ${argv.join(' ').slice(0, 160)}`);
  return factsOnly(
    { directory: host.diagnosticsDir, parts: parts.length, ...(pid === null ? {} : { main_pid: pid }) },
    [...quit, ...lines].join('\n'),
  );
}

/** Between a program's last output and the end of the action: packing and writing. */
const WRITE_MS = 5000;
/** For a program to write its stacks into the journal. */
const QUIT_MS = 2000;

type Piece = { readonly name: string; readonly captured: Captured };

async function collect(host: ActionHost, wanted: Collection, run: ActionRun): Promise<ActionEnd> {
  const at = new Date();
  const signal = within(run, Math.max(run.timeoutMs / 2, run.timeoutMs - WRITE_MS));
  const facts = { directory: host.diagnosticsDir, ...(wanted.unit === null ? {} : { unit: wanted.unit }) };
  try {
    const secrets = await everySecret(host.secretsDir).catch((cause: unknown) => {
      throw new Error('secrets_dir cannot be read, so no secret could be struck out', { cause });
    });
    const { pieces, pid, quit } = await gather(host, wanted, signal);
    if (run.signal.aborted) return failed(cutShort(run), 'was ended before the bundle was written', factsOnly(facts));
    const index = indexOf(host, { wanted, at, pid, quit }, pieces);
    const files = [{ name: 'index.txt', captured: index }, ...pieces];
    const entries = files.map(({ name, captured }) => ({
      name,
      content: withoutSecretBytes(captured.content, secrets),
    }));
    const bundle = await compress(tarOf(entries, at));
    const stored = await storeBundle(host.diagnosticsDir, wanted.unit ?? 'host', { bundle, at });
    const missing = pieces.filter(({ captured }) => captured.end !== 'ok').length;
    return {
      status: 'done',
      output: {
        facts: {
          ...facts,
          path: stored.path,
          sha256: stored.sha256.toString('hex'),
          parts: pieces.length,
          parts_incomplete: missing,
          ...(pid === null ? {} : { main_pid: pid }),
          ...(quit === null ? {} : { after_quit_signal: quit }),
          pruned_bundles: stored.pruned,
        },
        exitCode: null,
        tail: index.content.toString('utf8'),
        digest: stored.sha256.toString('base64url'),
        bytes: bundle.length,
      },
    };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return failed('exit', `no bundle was kept in ${host.diagnosticsDir}: ${code ?? message}`, factsOnly(facts));
  }
}

/** What goes away first comes first: the process, then what its unit says, then the host. */
async function gather(host: ActionHost, wanted: Collection, signal: AbortSignal) {
  const { unit } = wanted;
  const pid = unit === null ? null : await readPid(host, unit, signal);
  const pieces: Piece[] = [];
  if (pid !== null) pieces.push(...(await captureAll(await processParts(host, pid, wanted), signal)));
  const quit = pid !== null && wanted.quit ? await sendQuit(pid, signal) : null;
  if (unit !== null) pieces.push(...(await captureAll(unitParts(host, unit, wanted), signal)));
  pieces.push(...(await captureAll(hostParts(host, wanted), signal)));
  return { pieces, pid, quit };
}

const captureAll = (parts: readonly Part[], signal: AbortSignal): Promise<Piece[]> =>
  Promise.all(parts.map(async (part) => ({ name: part.name, captured: await capture(part, signal) })));

async function sendQuit(pid: number, signal: AbortSignal): Promise<keyof typeof AFTER_QUIT> {
  const mark = readProcess(pid)?.mark;
  if (mark === undefined) return 'ended';
  // A unit may have another name than its own.
  const group = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  if (group.trim().split('/').some(isOwnUnit)) return 'spared';
  signalAll([mark], 'SIGQUIT');
  const until = performance.now() + QUIT_MS;
  while (isRunning(mark) && performance.now() < until && !signal.aborted) await sleep(50);
  return isRunning(mark) ? 'runs' : 'ended';
}

const AFTER_QUIT = {
  runs: 'SIGQUIT was sent to the main process, which runs on',
  ended: 'SIGQUIT was sent to the main process, which has ended',
  spared: "SIGQUIT was not sent: the main process is one of Fettle's own",
} as const;

type About = {
  readonly wanted: Collection;
  readonly at: Date;
  readonly pid: number | null;
  readonly quit: keyof typeof AFTER_QUIT | null;
};

function indexOf({ facts }: ActionHost, { wanted, at, pid, quit }: About, pieces: readonly Piece[]): Captured {
  const { bootId, machineId, agentVersion } = facts;
  const lines = [
    `at ${at.toISOString()}, boot ${bootId}, machine ${machineId}, agent ${agentVersion}`,
    ...(wanted.unit === null ? [] : [`unit ${wanted.unit}, main process ${pid ?? 'none'}`]),
    ...(quit === null ? [] : [AFTER_QUIT[quit]]),
    ...pieces.map(
      ({ name, captured: { content, cut, end } }) => `${name}: ${content.length} bytes${cut ? ', cut' : ''}, ${end}`,
    ),
  ];
  return { content: Buffer.from(`${lines.join('\n')}\n`), cut: false, end: 'ok' };
}
