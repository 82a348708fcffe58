import type { Context } from '@temporalio/activity';

/** The server must say when it started the activity within this time, else what is known of it has to do. Milliseconds. */
const ASK_TIMEOUT_MS = 1500;

/**
 * The later of the host's clock and the server's, in milliseconds, as it goes on: a host whose clock is behind must not begin what
 * is too late. The server's clock is known from when it scheduled this activity or, if `ask`, from when it started it.
 */
export async function serverClock(context: Context, ask: boolean): Promise<() => number> {
  const received = performance.now();
  const scheduled = context.info.currentAttemptScheduledTimestampMs;
  const started = ask ? await startTime(context) : null;
  const server = Math.max(scheduled, started ?? 0);
  return () => Math.max(Date.now(), server + performance.now() - received);
}

async function startTime(context: Context): Promise<number | null> {
  const { activityId, activityRunId, inWorkflow } = context.info;
  if (inWorkflow) return null;
  try {
    const { client } = context;
    const describe = () => client.activity.getHandle(activityId, activityRunId).describe();
    const { lastStartedTime } = await client.withDeadline(Date.now() + ASK_TIMEOUT_MS, describe);
    return lastStartedTime?.getTime() ?? null;
  } catch {
    return null;
  }
}
