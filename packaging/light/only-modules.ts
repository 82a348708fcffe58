import path from 'node:path';
import type { Plugin } from 'esbuild';

/** Commands load modules as they are run: all are left out but the ones named, as the importing files of cmd/ name them. */
export const onlyModules = (modules: readonly string[]): Plugin => ({
  name: 'only-modules',
  setup(builder) {
    builder.onResolve({ filter: /^\.\.?\// }, ({ kind, importer, path: wanted }) =>
      kind === 'dynamic-import' && path.basename(path.dirname(importer)) === 'cmd' && !modules.includes(wanted)
        ? { path: wanted, namespace: 'other-command' }
        : undefined,
    );
    builder.onLoad({ filter: /.*/, namespace: 'other-command' }, () => ({
      contents: `throw new Error('this command is in another file of the program; run it by the name fettle');`,
    }));
  },
});
