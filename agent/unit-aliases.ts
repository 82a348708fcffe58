import { readdirSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Where systemd finds units, the folder that wins first: systemd.unit(5). */
const UNIT_FOLDERS = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/run/systemd/generator',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
] as const;
const UNIT = /^[A-Za-z0-9:_.\\@-]+\.(?:service|socket|timer|target|mount|automount|swap|path|slice|scope|device)$/;

/**
 * Every name under which the unit may be meant: `sshd.service` is `ssh.service` where one is a link to the other. Just the name
 * itself for what is no unit.
 */
export function unitNames(name: string, folders: readonly string[] = UNIT_FOLDERS): readonly string[] {
  if (!UNIT.test(name)) return [name];
  const links = folders.flatMap(linksOf);
  const names = new Set([name]);
  for (let size = 0; size !== names.size;) {
    size = names.size;
    for (const [alias, target] of links)
      for (const known of names) {
        const instance = /@([^@]*)\./.exec(known)?.[1] ?? '';
        // A link between templates (`a@.service`) holds for every instance of them.
        const [here, there] = [withInstance(alias, instance), withInstance(target, instance)];
        if (here === known || there === known) names.add(here).add(there);
      }
  }
  return [...names];
}

const withInstance = (unit: string, instance: string): string => unit.replace('@.', `@${instance}.`);

function linksOf(folder: string): [alias: string, target: string][] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isSymbolicLink() && UNIT.test(entry.name))
      .map((entry): [string, string] => [entry.name, basename(readlinkSync(join(folder, entry.name)))])
      .filter(([alias, target]) => alias !== target && UNIT.test(target));
  } catch {
    return [];
  }
}
