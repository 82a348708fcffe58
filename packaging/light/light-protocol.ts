/**
 * Temporal's messages, of which an agent knows some seventy of 1,061: their descriptions as objects cost it 10 MB and a tenth of a
 * second.
 */
import { createRequire } from 'node:module';
import protobuf from 'protobufjs/light.js';

/** The calls that agents make themselves; a Worker's own are made by the native core. A test holds that there are no others. */
export const AGENT_CALLS: readonly string[] = ['DescribeNamespace', 'DescribeActivityExecution'];

const WORKFLOW_SERVICE = '.temporal.api.workflowservice.v1.WorkflowService';
/** Made with every connection, whatever is asked of it. */
const SERVICES = [
  WORKFLOW_SERVICE,
  '.temporal.api.operatorservice.v1.OperatorService',
  '.temporal.api.testservice.v1.TestService',
  '.grpc.health.v1.Health',
];
/** What the SDK names where it runs activities. */
const MESSAGES = [
  'coresdk.ActivityHeartbeat',
  'coresdk.ActivityTaskCompletion',
  'coresdk.NamespaceInfo',
  'coresdk.activity_task.ActivityTask',
  'coresdk.activity_task.ActivityCancelReason',
  'temporal.api.common.v1.Payloads',
  'temporal.api.failure.v1.Failure',
  'temporal.api.sdk.v1.ExternalStorageReference',
];

type Options = { readonly options?: Readonly<Record<string, unknown>> };
/** A package, message, enumeration or service, as protobufjs writes it as JSON. */
type Described = Options & {
  readonly fields?: Readonly<Record<string, Options>>;
  readonly methods?: Readonly<Record<string, { readonly requestType: string; readonly responseType: string }>>;
  readonly nested?: Readonly<Record<string, Described>>;
};

/** The descriptions that agents need, as JSON, out of the SDK's module of all. */
export function lightProtocol(file: string): string {
  const root = createRequire(import.meta.url)(file) as protobuf.Root;
  root.resolveAll();
  return JSON.stringify(pruned('', root.toJSON(), neededNames(root)));
}

/** What they are made of, down to the last, and the packages around them. */
function neededNames(root: protobuf.Root): ReadonlySet<string> {
  const names = new Set<string>();
  const need = (one: protobuf.ReflectionObject): void => {
    if (names.has(one.fullName)) return;
    for (let at: protobuf.ReflectionObject | null = one; at !== null; at = at.parent) names.add(at.fullName);
    if (one instanceof protobuf.Type)
      for (const { resolvedType } of one.fieldsArray) if (resolvedType !== null) need(resolvedType);
  };
  for (const name of MESSAGES) need(found(root, name));
  for (const name of SERVICES) need(found(root, name));
  for (const name of AGENT_CALLS) {
    const method = root.lookupService(WORKFLOW_SERVICE).methods[name];
    if (!method?.resolvedRequestType || !method.resolvedResponseType)
      throw new Error(
        `Temporal's workflow service has no call ${name}; mend AGENT_CALLS in packaging/light/light-protocol.ts`,
      );
    need(method.resolvedRequestType);
    need(method.resolvedResponseType);
  }
  return names;
}

function found(root: protobuf.Root, name: string): protobuf.ReflectionObject {
  const one = root.lookup(name);
  if (one === null)
    throw new Error(`Temporal describes no ${name}; mend the lists in packaging/light/light-protocol.ts`);
  return one;
}

function pruned(name: string, described: Described, names: ReadonlySet<string>): Described {
  const { nested, methods, fields, ...rest } = withLessOptions(described);
  const inner = Object.entries(nested ?? {}).filter(([key]) => names.has(`${name}.${key}`));
  const calls = Object.entries(methods ?? {}).filter(([key]) => name === WORKFLOW_SERVICE && AGENT_CALLS.includes(key));
  return {
    ...rest,
    ...(fields && { fields: mapValues(Object.entries(fields), ([, field]) => withLessOptions(field)) }),
    ...(methods && {
      methods: mapValues(calls, ([, { requestType, responseType }]) => ({ requestType, responseType })),
    }),
    ...(nested && { nested: mapValues(inner, ([key, one]) => pruned(`${name}.${key}`, one, names)) }),
  };
}

const mapValues = <From, To>(
  entries: readonly [string, From][],
  to: (entry: [string, From]) => To,
): Record<string, To> => Object.fromEntries(entries.map((entry) => [entry[0], to(entry)]));

/** Options are for generators of documents and gateways, but for these, which say how a field is written. */
const WRITING = ['packed', 'proto3_optional', 'features'];
function withLessOptions<One extends Options>({ options, ...rest }: One): Omit<One, 'options'> & Options {
  const kept = Object.entries(options ?? {}).filter(([name]) => WRITING.includes(name));
  return { ...rest, ...(kept.length > 0 && { options: Object.fromEntries(kept) }) };
}
