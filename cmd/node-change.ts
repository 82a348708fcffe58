import type { ApiNodeChanged } from '../workflows/api.ts';
import { connectCoordinator } from './connect-coordinator.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { ClientFlags, OutputOption } from './fettle-command.ts';
import { type Io, say } from './io.ts';
import { printDocument } from './list-output.ts';
import { printable, printableJson } from './printable.ts';

export type NodeOp = 'revoke' | 'restore' | 'unpin';
export type NodeChangeFlags = ClientFlags & OutputOption & { readonly reason: string; readonly force?: true };

/** `fettle nodes revoke|restore|unpin NODE --reason TEXT` */
export async function changeNode(io: Io, op: NodeOp, node: string, flags: NodeChangeFlags): Promise<ExitCode> {
  await using coordinator = await connectCoordinator(io, flags);
  const force = flags.force === true ? { force: true } : {};
  const changed = await coordinator.api.changeNode(node, op, { reason: flags.reason, ...force });
  if (flags.output === 'json') printDocument(io, { node: changed });
  else if (flags.output === 'jsonl') say(io, printableJson(changed, 0));
  else say(io, SAID[op](changed));
  return EXIT.ok;
}

const SAID: Readonly<Record<NodeOp, (changed: ApiNodeChanged) => string>> = {
  revoke: ({ node }) =>
    `${printable(node)} is shut out: no orders, no new token. Let it in again: fettle nodes restore ${printable(node)} --reason "..."`,
  restore: ({ node }) => `${printable(node)} may come in again; its agent asks within a minute or two.`,
  unpin: ({ node, machine }) =>
    machine === null
      ? `${printable(node)} is whatever machine its next receipt comes from.`
      : `${printable(node)} is still machine ${printable(machine.id)}: the inventory says so; change it there.`,
};
