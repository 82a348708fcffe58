import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requiredAsUsed } from './worker-sdk.ts';

test('a module is loaded where it is used, and what is not of that form stays as it is', () => {
  const source = [
    'const common_1 = require("@temporalio/common");',
    'const rxjs_1 = __importStar(require("rxjs"));',
    'class A extends common_1.B { x = new common_1.C(rxjs_1.of(this.common_1)); }',
  ].join('\n');
  assert.equal(
    requiredAsUsed(source).trim(),
    [
      'const rxjs_1 = __importStar(require("rxjs"));',
      'class A extends (require("@temporalio/common")).B { x = new (require("@temporalio/common")).C(rxjs_1.of(this.common_1)); }',
    ].join('\n'),
  );
});
