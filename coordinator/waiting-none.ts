import { ApiFailure, type WaitingRequests } from './service.ts';

const nothing = (id: string): never => {
  throw new ApiFailure(404, 'unknown_pending', `nothing waits as ${JSON.stringify(id.slice(0, 120))}; see: fettle ps`);
};

/** Where nothing waits. */
export const NOTHING_WAITS: WaitingRequests = {
  list: () => Promise.resolve([]),
  get: async (id) => nothing(id),
  approve: async (_caller, id) => nothing(id),
  deny: async (_caller, id) => nothing(id),
  cancel: async (_caller, id) => nothing(id),
  lookAgain: () => Promise.resolve(),
};
