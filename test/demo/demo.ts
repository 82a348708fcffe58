/**
 * `npm run demo`: a real fault on a small fleet of real parts, noticed, decided, repaired and proven healed; then what keeps it safe: the
 * hourly limit, the access list, one execution for twenty equal requests. Every figure comes from what happened.
 */
import { parseArgs } from 'node:util';
import { runDemo } from './run-demo.ts';
import { narrator } from './narrator.ts';

const { values } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`usage: npm run demo [-- --keep] [-- --json]
  --keep   leaves everything up when the demo is over and prints commands to try; Ctrl-C ends it
  --json   prints one JSON document as the last line`);
} else {
  const tell = narrator();
  const report = await runDemo({ tell, keep: values.keep });
  if (values.json) console.log(JSON.stringify(report));
  process.exitCode = report.ok ? 0 : 1;
}
