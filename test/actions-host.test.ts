/** Actions on a booted host: real systemd, journal, logins and disks. One boot for all of them. */
import { after, before, describe } from 'node:test';
import { diskActions } from './actions-host/disks.ts';
import { nodeActions } from './actions-host/node.ts';
import { unitActions } from './actions-host/units.ts';
import { PROGRAM } from './support/booted-agent.ts';
import { bootHost, hostsLeftOut } from './support/booted-host.ts';
import { type GuestActions, guestActions } from './support/guest-actions.ts';

describe('actions on a booted host', { skip: hostsLeftOut() ?? false }, () => {
  let guest: GuestActions;
  before(async () => {
    guest = guestActions(await bootHost({ name: 'web-1', bind: PROGRAM }));
  });
  after(() => guest.host[Symbol.asyncDispose]());

  unitActions(() => guest);
  nodeActions(() => guest);
  diskActions(() => guest);
});
