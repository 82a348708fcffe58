import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { badTarget } from './target.ts';

describe('raw request targets', () => {
  const refused = [
    '',
    '*',
    'v1/nodes',
    'http://evil.test/v1/nodes',
    '//admin',
    '/v1//nodes',
    '/public/../admin',
    '/public/%2e%2e/admin',
    '/public/..%2fadmin',
    '/%61dmin',
    '/admin%00',
    '/admin;x=1',
    '/a\\b',
    '/a b',
    '/a\u0000',
    '/a\u007f',
    '/ä',
    '/a#b',
    '/a?x=ä',
    '/a?x=1 2',
    '/a?x=1#b',
    '/a?x=\\',
    `/${'a'.repeat(2000)}`,
    `/a?${'a'.repeat(3000)}`,
  ];
  for (const target of refused) {
    test(`refuses ${JSON.stringify(target.slice(0, 40))}`, () => assert.notEqual(badTarget(target), null));
  }
  const fine = [
    '/',
    '/v1/executions/restart-service:web-1:1-4k',
    '/v1/executions?since=2026-05-01T12%3A00%3A00Z',
    '/metrics',
    '/a?x=..//;',
  ];
  for (const target of fine) test(`lets ${target} pass`, () => assert.equal(badTarget(target), null));
});
