/** Names of the workflows written in TypeScript: an HCL file without steps must bear one of them. all.ts exports each under this name. */
export const TYPESCRIPT_WORKFLOWS: readonly string[] = ['restart-if-down'];
