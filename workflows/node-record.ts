/**
 * What is known of one node that must outlive every coordinator: which machine it is, and whether a person has shut it out. One small entity
 * workflow for each node (docs/protocol.md §10.3). Its state stands in its memo after each change, so that whoever describes it reads it
 * without a Worker; its history says who changed what, and why.
 */
import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  makeContinueAsNewFunc,
  defineUpdate,
  setHandler,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import { changed, NODE_CHANGE_UPDATE, NODE_MEMO, type NodeChange, type NodeState } from './node-state.ts';

const change = defineUpdate<NodeState, [NodeChange]>(NODE_CHANGE_UPDATE);

/** Then it goes on in a new run: a replay stays short, and what people did stays readable for the namespace's retention. */
const MAX_EVENTS = 200;

export async function nodeRecord(input: { readonly state: NodeState }): Promise<never> {
  let { state } = input;
  setHandler(
    change,
    (wish) => {
      state = changed(state, wish, Date.now());
      upsertMemo({ [NODE_MEMO]: state });
      return state;
    },
    { validator: checkChange },
  );
  await condition(() => workflowInfo().historyLength > MAX_EVENTS || workflowInfo().continueAsNewSuggested);
  await condition(allHandlersFinished);
  return makeContinueAsNewFunc<typeof nodeRecord>({ memo: { [NODE_MEMO]: state } })({ state });
}

/** What is refused here writes nothing to history. */
function checkChange(wish: NodeChange): void {
  const id = 'machineId' in wish ? wish.machineId : 'x';
  if (typeof id === 'string' && id !== '' && id.length <= 64) return;
  throw ApplicationFailure.nonRetryable('a machine id holds 1 to 64 characters');
}
