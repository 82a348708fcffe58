import { LIGHT_ENVIRONMENT, LIGHT_FLAGS } from './flags.ts';
import { LIGHT_PARTS } from './parts.ts';

/** `fettle`, the program as people and units call it: a shell script, so that Node gets its flags before it is one. */
export const launcher = (): string => `#!/bin/sh
# What every server runs all day, or for each action, has a small file of its own and a frugal Node; all else is in fettle.mjs.
self=$(readlink -f -- "$0") || exit 1
home=\${self%/*}
node=$home/node
[ -x "$node" ] || node=$(command -v node) || {
  echo "fettle: there is no node beside $self nor in PATH; install Node 24" >&2
  exit 1
}
case "\${1-} \${2-}" in
${LIGHT_PARTS.filter(({ command }) => command)
  .map(({ name }) => `'${name} --'*`)
  .join(' | ')})
  export ${Object.entries(LIGHT_ENVIRONMENT)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')}
  exec "$node" ${LIGHT_FLAGS.join(' ')} "$home/start.js" "$@"
  ;;
esac
exec "$node" "$home/fettle.mjs" "$@"
`;
