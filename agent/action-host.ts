import type { AgentConfig } from '../config/agent.ts';
import type { CommandDefinition } from '../config/commands.ts';
import { type ActionHost, type Programs, PROGRAMS } from './actions/action.ts';
import type { HostFacts } from './host-facts.ts';

/** What bounds this host and may be read again while it is in force. */
export type HostRules = Pick<AgentConfig, 'allow' | 'never' | 'clean'> & {
  readonly commands: readonly CommandDefinition[];
};

export const rulesOf = (
  { allow, never, clean }: Pick<AgentConfig, 'allow' | 'never' | 'clean'>,
  commands: HostRules['commands'],
): HostRules => ({ allow, never, clean, commands });

/** What actions need of this host; `rules` are asked anew each time. */
export function createActionHost(
  { secretsDir, diagnosticsDir }: Pick<AgentConfig, 'secretsDir' | 'diagnosticsDir'>,
  rules: () => HostRules,
  facts: HostFacts,
  more: Partial<Programs> & Pick<ActionHost, 'tokenSeconds' | 'standing'> = {},
): ActionHost {
  return {
    facts,
    get commands() {
      return byName(rules().commands);
    },
    get clean() {
      return byName(rules().clean);
    },
    secretsDir,
    diagnosticsDir,
    ...PROGRAMS,
    ...more,
  };
}

const byName = <T extends { readonly name: string }>(all: readonly T[]): ReadonlyMap<string, T> =>
  new Map(all.map((one) => [one.name, one]));
