/** Certificate, configuration and name: what an agent is by its files. */
import { setTimeout as pause } from 'node:timers/promises';
import { AGENT_UNIT } from '../support/booted-agent.ts';
import { metricOf } from '../support/drill-site.ts';
import { eventually } from '../support/processes.ts';
import type { Guest, House } from './house.ts';
import { resultOf, type DrillResult, type Trial } from './trial.ts';

export const ALARM = 'fettle_coordinator_unverified_answers_total';

export async function expireCertificate(house: House, guest: Guest): Promise<DrillResult> {
  const node = guest.agent.place.node;
  const alarms = () => metricOf(house.site.address, ALARM);
  const before = await alarms();
  const notAfter = new Date(Math.ceil(Date.now() / 1000) * 1000 + 5_000);
  await guest.agent.renew({ override: { notAfter } });
  const execution = await house.ask(node, 'svid', 6);
  await guest.until('svid', 'ended');
  await pause(Math.max(0, notAfter.getTime() + 1_500 - Date.now()));
  const alarmed = eventually(async () => (await alarms()) > before, {
    what: 'the alarm',
    timeoutMs: 30_000,
    everyMs: 250,
  });
  const raised = await alarmed.then(
    () => true,
    () => false,
  );
  await guest.agent.renew({});
  const point = 'ran out while it was at work, renewed after its receipt';
  const trials = [await house.trial({ execution, mark: 'svid', point, guests: [guest] })];
  const next = await house.ask(node, 'svid-next', 0.5);
  trials.push(await house.trial({ execution: next, mark: 'svid-next', point: 'the next order', guests: [guest] }));
  return resultOf({
    drill: 'SVID expired',
    did: 'the certificate of the agent ran out while an action was at work; a new one was put in its place later',
    trials,
    happened: `${raised ? 'an alarm; ' : ''}${trials.map((trial) => `${trial.point}: ${trial.outcome} (${trial.status})`).join('; ')}`,
  });
}

export async function breakConfig(house: House, guest: Guest): Promise<DrillResult> {
  const { host, agent } = guest;
  const node = agent.place.node;
  const file = '/etc/fettle/agent.hcl';
  const good = await host.read(file);
  const pid = await agent.pid();
  const findings: string[] = [];
  const trials: Trial[] = [];
  const broken = async (): Promise<void> => {
    await host.run(['sh', '-c', `cat > ${file} <<'EOF'\n${good}\nallow "*" {\nEOF`]);
  };
  const mended = (): Promise<unknown> => host.run(['sh', '-c', `cat > ${file} <<'EOF'\n${good}EOF`]);
  await broken();
  await host.run(['systemctl', 'kill', '-s', 'HUP', '--kill-whom=main', AGENT_UNIT]);
  await pause(1_000);
  if ((await agent.pid()) !== pid) findings.push('a reload with a broken file ended the agent');
  const { client } = house;
  const execution = await house.ask(node, 'config-broken', 0.5);
  const closed = async () => (await client.getExecution(execution)).state === 'closed';
  await eventually(closed, { what: 'the execution to end', timeoutMs: 120_000, everyMs: 500 });
  const held = (await client.status()).gate.orphaned ?? 0;
  await host.run(['systemctl', 'restart', AGENT_UNIT]);
  const says = async () => /agent\.hcl:\d+:\d+/.test(await host.journal(AGENT_UNIT));
  const said = await eventually(says, {
    what: 'the place of the fault in the journal',
    timeoutMs: 30_000,
    everyMs: 500,
  }).then(
    () => true,
    () => false,
  );
  if (!said) findings.push('the journal does not say where the file is broken');
  await mended();
  await host.run(['systemctl', 'reset-failed', AGENT_UNIT]);
  await agent.start();
  const freed = async () => (await client.status()).gate.orphaned === 0;
  const provenLater = await eventually(freed, { what: 'proof', timeoutMs: 60_000, everyMs: 250 }).then(
    () => held > 0,
    () => false,
  );
  const point = 'broken, reloaded';
  trials.push(await house.trial({ execution, mark: 'config-broken', point, guests: [guest], provenLater }));
  const next = await house.ask(node, 'config-mended', 0.5);
  trials.push(
    await house.trial({ execution: next, mark: 'config-mended', point: 'mended, restarted', guests: [guest] }),
  );
  return resultOf({
    drill: 'configuration broken',
    did: 'agent.hcl cut off in a block: SIGHUP, an order, a restart; then mended and started',
    trials,
    happened: `${trials.map((trial) => `${trial.point}: ${trial.outcome} (${trial.status})`).join('; ')}; ${held > 0 ? 'its limits were held until the file was mended; ' : ''}broken and restarted: not started, and the journal names the line`,
    findings,
  });
}

/** `clone` has the name and the certificate of `guest` and another machine id. */
export async function twoOfOneName(house: House, guest: Guest, clone: Guest, orders: number): Promise<DrillResult> {
  const node = guest.agent.place.node;
  const guests = [guest, clone];
  const trials: Trial[] = [];
  for (let turn = 0; turn < orders; turn += 1) {
    const mark = `twin-${turn}`;
    const execution = await house.ask(node, mark, 0.6);
    const struck = turn % 3 === 2 ? (guests[turn % 2] ?? guest) : null;
    if (struck !== null) {
      await pause(300 + house.random() * 300);
      await struck.host.run(['systemctl', 'kill', '-s', 'KILL', '--kill-whom=main', AGENT_UNIT]);
    }
    const point = struck === null ? `order ${turn + 1}` : `order ${turn + 1}, one of the two killed`;
    const trial = await house.trial({ execution, mark, point, guests });
    house.say(`${point}: began ${trial.begun}, ended ${trial.ended}, ${trial.outcome} (${trial.status})`);
    trials.push(trial);
  }
  const byHost = await Promise.all(
    guests.map(async (each) => {
      const marks = await Promise.all(trials.map((_, turn) => each.marks(`twin-${turn}`)));
      return marks.filter((lines) => lines.length > 0).length;
    }),
  );
  return resultOf({
    drill: 'two agents, one name',
    did: `a second host with the same name and certificate and another machine id; ${orders} orders, now and then one of the two agents killed`,
    trials,
    happened: `the host acted on ${byHost[0]}, its clone on ${byHost[1]}`,
  });
}
