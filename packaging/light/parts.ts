/** A part of the program that has a small file of its own, since every server runs it all day, at each start or for each action. */
export type LightPart = {
  readonly name: string;
  readonly entry: string;
  /** What its commands load as they run. */
  readonly modules: readonly string[];
  /** Whether people and units call it by its name. */
  readonly command: boolean;
};

/** In the order in which they need one another. */
export const LIGHT_PARTS: readonly LightPart[] = [
  { name: 'agent-files', entry: 'cmd/agent-files-main.ts', modules: ['../config/load.ts'], command: false },
  { name: 'agent', entry: 'cmd/main.ts', modules: ['./agent.ts'], command: true },
  { name: 'agent-helper', entry: 'cmd/main.ts', modules: ['./agent-helper.ts', '../config/load.ts'], command: true },
];
