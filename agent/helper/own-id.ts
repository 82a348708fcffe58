import { readFile } from 'node:fs/promises';
import type { AgentConfig, HelperConfig } from '../../config/agent.ts';
import { checkSvidLeaf } from '../../identity/svid.ts';
import { parsePemCertificates } from '../../identity/trust-bundle.ts';
import { ownershipFault } from '../owned-files.ts';

/**
 * Whose orders the helper takes: the id that root's configuration names, else the one in the certificate. An expired certificate
 * still names this host.
 * @throws Error when there is neither.
 */
export async function ownId({ helper, identity }: AgentConfig & { helper: HelperConfig }): Promise<string> {
  if (helper.spiffeId !== null) return helper.spiffeId;
  const fault = await ownershipFault(identity.certificate);
  if (fault !== null)
    throw new Error(`${fault.place} ${fault.message}; or name this host in helper { spiffe_id = "spiffe://..." }`);
  const [leaf] = parsePemCertificates(await readFile(identity.certificate, 'utf8'));
  if (leaf === undefined) throw new Error(`${identity.certificate} holds no certificate`);
  return checkSvidLeaf(leaf.raw, leaf.validFromDate).id.text;
}
