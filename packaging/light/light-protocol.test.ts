import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import protobuf from 'protobufjs/light.js';
import { AGENT_CALLS, lightProtocol } from './light-protocol.ts';

const FILE = createRequire(import.meta.url).resolve('@temporalio/proto/protos/json-module.js');
const ROOT = path.resolve(import.meta.dirname, '../..');

test('what is left of the messages is written on the wire as the whole is', () => {
  const whole = createRequire(import.meta.url)(FILE) as protobuf.Root;
  const light = protobuf.Root.fromJSON(JSON.parse(lightProtocol(FILE)));
  light.resolveAll();
  const types = typesIn(light);
  assert.ok(types.length > 40, `${types.length} messages`);
  for (const type of types) assert.equal(wire(type), wire(whole.lookupType(type.fullName)), type.fullName);
});

test('an agent makes no other calls than those that its file describes', async () => {
  const calls = new Set<string>();
  for await (const file of glob('agent/**/*.ts', { cwd: ROOT })) {
    if (file.endsWith('.test.ts')) continue;
    const text = await readFile(path.join(ROOT, file), 'utf8');
    for (const [, call = ''] of text.matchAll(/\.(?:workflowService|operatorService|healthService)\.(\w+)/g))
      calls.add(call);
  }
  const described = AGENT_CALLS.map((name) => name.charAt(0).toLowerCase() + name.slice(1));
  assert.deepEqual(
    [...calls].filter((call) => !described.includes(call)),
    [],
  );
});

const typesIn = (space: protobuf.NamespaceBase): protobuf.Type[] => [
  ...(space instanceof protobuf.Type ? [space] : []),
  ...space.nestedArray.flatMap((one) => (one instanceof protobuf.Namespace ? typesIn(one) : [])),
];

const wire = (type: protobuf.Type): string =>
  type.fieldsArray
    .map(({ id, name, type: of, repeated, packed, required, hasPresence, map }) =>
      JSON.stringify({ id, name, of, repeated, packed, required, hasPresence, map }),
    )
    .join('\n');
