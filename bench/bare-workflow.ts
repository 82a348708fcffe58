/** The smallest workflows of the same shape: one activity on another queue, and one Update. What Fettle's way is measured beside. */
import { condition, defineUpdate, proxyActivities, setHandler } from '@temporalio/workflow';

const { begin } = proxyActivities<{ begin: () => Promise<number> }>({
  taskQueue: 'bare/activities',
  startToCloseTimeout: '30s',
});

/** When the activity's first instruction ran, by the machine's clock in milliseconds. */
export const bare = (): Promise<number> => begin();

export const bareUpdate = defineUpdate<number, [number]>('bareUpdate');

/** Answers Updates for ever and remembers nothing but their sum. */
export async function bareEntity(): Promise<void> {
  let sum = 0;
  setHandler(bareUpdate, (n) => (sum += n));
  await condition(() => false);
}
