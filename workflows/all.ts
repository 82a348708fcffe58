/** Every workflow that a coordinator can run, by its Temporal type: what the workflow bundle is built from. */
export { gate } from './gate.ts';
export { nodeRecord as 'node-record' } from './node-record.ts';
export { pending } from './pending.ts';
export { restartIfDown as 'restart-if-down' } from './restart-if-down.ts';
export { runbook } from './runbook.ts';
