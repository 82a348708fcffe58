/** One Worker as a process of its own: `node bare-worker.ts ADDRESS BUNDLE` runs workflows, without BUNDLE the activity. */
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';

const [address = '', codePath] = process.argv.slice(2);
Runtime.install({
  shutdownSignals: ['SIGTERM'],
  telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' } } },
});
const connection = await NativeConnection.connect({ address });
const worker = await Worker.create(
  codePath === undefined
    ? { connection, taskQueue: 'bare/activities', activities: { begin: () => Promise.resolve(Date.now()) } }
    : { connection, taskQueue: 'bare/workflows', workflowBundle: { codePath }, maxCachedWorkflows: 300 },
);
const running = worker.run();
process.stdout.write('polls\n');
await running;
await connection.close();
