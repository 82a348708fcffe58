import { stat } from 'node:fs/promises';
import type { IdentityConfig } from '../config/connections.ts';
import { loadSvid, type Svid } from '../identity/svid-source.ts';
import { errorText, fail, type Finding, ok, warn } from './finding.ts';
import { formatDuration } from './time-text.ts';

/** A certificate is worth a warning when less than this part of its life is left. */
const LATE = 0.2;

/** Looks at a certificate, its key and what is trusted, by the loader that roles use. */
export async function checkIdentity(config: IdentityConfig, now: number): Promise<Finding[]> {
  const mode = await checkSecretFile('identity', config.key);
  try {
    const svid = await loadSvid(config);
    return [...mode, dates(svid, config.certificate, now), ...bundles(svid, now)];
  } catch (error) {
    return [...mode, fail('identity', errorText(error), renewWith(config))];
  }
}

function dates(svid: Svid, file: string, now: number): Finding {
  const left = svid.notAfter - now;
  const life = svid.notAfter - svid.notBefore;
  if (left <= 0)
    return fail(
      'identity',
      `${svid.id.text} expired ${formatDuration(-left)} ago (${file})`,
      'renew it; for one of fettle ca: fettle ca issue --help',
    );
  if (now < svid.notBefore)
    return fail('identity', `${svid.id.text} is not valid yet (${file})`, "check this machine's clock: timedatectl");
  const text = `${svid.id.text}, valid for another ${formatDuration(left)}`;
  return left < life * LATE
    ? warn('identity', text, 'see that it is renewed in time; for one of fettle ca: fettle ca issue --help')
    : ok('identity', text);
}

function bundles(svid: Svid, now: number): Finding[] {
  return [...svid.bundles.values()].map((bundle) => {
    const ends = bundle.certificates.map((certificate) => Date.parse(certificate.validTo));
    const last = Math.max(...ends);
    const text = `trusts ${bundle.trustDomain} by ${ends.length} ${ends.length === 1 ? 'authority' : 'authorities'}`;
    if (last <= now)
      return fail('identity', `${text}, and all have expired`, 'get the new bundle of that trust domain');
    return ok('identity', `${text}, the last until ${new Date(last).toISOString().slice(0, 10)}`);
  });
}

const renewWith = (config: IdentityConfig): string => `look at it: openssl x509 -in ${config.certificate} -noout -text`;

/** A secret must be there, readable for us and for nobody but its owner (and group). */
export async function checkSecretFile(area: string, file: string): Promise<Finding[]> {
  try {
    const { mode } = await stat(file);
    if ((mode & 0o007) === 0)
      return [ok(area, `${file} is not readable for others (mode ${(mode & 0o777).toString(8).padStart(4, '0')})`)];
    return [
      fail(
        area,
        `${file} is open to every user of this machine (mode ${(mode & 0o777).toString(8).padStart(4, '0')})`,
        `chmod 0600 ${file}`,
      ),
    ];
  } catch (error) {
    return [fail(area, `${file}: ${errorText(error)}`, 'check the path, and that this user may read it')];
  }
}
