import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { portAnswers, temporaryDirectory } from './processes.ts';
import { startTemporal } from './temporal.ts';

test('a Temporal server keeps its port and its data through a crash when it has a file', async () => {
  await using directory = await temporaryDirectory();
  await using temporal = await startTemporal({ dbFile: path.join(directory.path, 'temporal.db') });
  await using undo = new AsyncDisposableStack();
  const connection = await Connection.connect({ address: temporal.address });
  undo.defer(() => connection.close());
  await connection.workflowService.registerNamespace({
    namespace: 'kept',
    workflowExecutionRetentionPeriod: msToTs('1 day'),
  });

  await temporal.kill();
  assert.equal(await portAnswers(temporal.port), false);
  await temporal.start();

  const described = await connection.workflowService.describeNamespace({ namespace: 'kept' });
  assert.equal(described.namespaceInfo?.name, 'kept');
});
