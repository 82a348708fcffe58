/** The smallest workflow of the same shape: one activity on another queue. What Fettle's way is measured beside. */
import { proxyActivities } from '@temporalio/workflow';

const { begin } = proxyActivities<{ begin: () => Promise<number> }>({
  taskQueue: 'bare/activities',
  startToCloseTimeout: '30s',
});

/** When the activity's first instruction ran, by the machine's clock in milliseconds. */
export const bare = (): Promise<number> => begin();
