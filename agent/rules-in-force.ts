import type { HostRules } from './action-host.ts';
import { type AllowList, createAllowList } from './allow-list.ts';

/** The rules of this host while the agent runs: exchanged as a whole, or left as they are when the files are bad. */
export type RulesInForce = {
  readonly rules: () => HostRules;
  /** Decides by the rules that are in force when it is asked. */
  readonly allow: AllowList;
  /** @throws Error when a pattern is no regular expression; the old rules then stay. */
  readonly replace: (rules: HostRules) => void;
  /** The files were read and are bad. */
  readonly keepOld: (problem: string) => void;
  /** The first thing wrong with the files as last read; null when they are in force. */
  readonly problem: () => string | null;
};

export function createRulesInForce(first: HostRules): RulesInForce {
  let rules = first;
  let allow = createAllowList(first.allow, first.never);
  let problem: string | null = null;
  return {
    rules: () => rules,
    allow: {
      check: (action, args) => allow.check(action, args),
      judge: (action, args) => allow.judge(action, args),
      caps: (by, begun) => allow.caps(by, begun),
    },
    replace(next) {
      allow = createAllowList(next.allow, next.never);
      rules = next;
      problem = null;
    },
    keepOld: (found) => void (problem = found),
    problem: () => problem,
  };
}
