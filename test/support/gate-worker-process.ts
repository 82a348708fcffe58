/** The gate's Workers as a process of their own, as a coordinator hosts them: `node gate-worker-process.ts ADDRESS NAME`. */
import { temporalAt } from './gate-clients.ts';
import { startGateWorkers } from './gate-workers.ts';

const [address = '', name = 'c1'] = process.argv.slice(2);
const workers = await startGateWorkers(temporalAt(address), name);
while (!workers.running()) await new Promise((resolve) => setTimeout(resolve, 10));
process.stdout.write('polls\n');
process.once('SIGTERM', () => void workers.stop());
