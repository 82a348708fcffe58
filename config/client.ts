/** `~/.config/fettle/client.hcl`: how the command line reaches a coordinator. Flags and environment come before it. */
export type ClientProfile = {
  readonly addresses: readonly string[];
  readonly coordinatorId: string;
  readonly certificate: string | null;
  readonly key: string | null;
  readonly bundle: string;
};
