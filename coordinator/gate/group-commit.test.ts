import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GroupCommit } from './group-commit.ts';

/** Waits of operations that come every `everyMs`, each answered after `answerMs`. */
function waits(everyMs: number, answerMs: number, times = 200): number[] {
  const commit = new GroupCommit();
  const answers: number[] = [];
  const waited: number[] = [];
  for (let now = 0; waited.length < times; now += everyMs) {
    while ((answers[0] ?? Number.POSITIVE_INFINITY) <= now) {
      answers.shift();
      commit.answered();
    }
    waited.push(commit.came(now) - now);
    answers.push(now + answerMs);
  }
  return waited;
}

test('a caller alone never waits for company, however fast it asks', () => {
  assert.ok(waits(5, 4).every((wait) => wait === 0));
});

test('callers who meet now and then do not wait for company', () => {
  assert.ok(waits(100, 150).every((wait) => wait === 0));
});

test('many who meet within a second wait a little, and no longer than an Update takes', () => {
  const waited = waits(5, 50);
  assert.ok(waited.slice(0, 30).every((wait) => wait === 0));
  assert.ok(waited.slice(-100).every((wait) => wait > 0 && wait <= 25));
});

test('one batch is under way, and a second only when the line is long or the first is slow', () => {
  const commit = new GroupCommit();
  assert.equal(commit.wait(0, 1, 0), 0);
  commit.sent(0);
  assert.ok((commit.wait(1, 99, 0) ?? 0) > 100);
  assert.equal(commit.wait(1, 100, 0), 0);
  assert.equal(commit.wait(300, 1, 0), 0, 'the first is slow');
  commit.sent(300);
  assert.equal(commit.wait(1_000, 500, 0), null, 'never a third');
  assert.equal(new GroupCommit().wait(0, 0, Number.POSITIVE_INFINITY), null);
});

test('after the server refused one too many: one at a time, further apart with each refusal, and closer again as they pass', () => {
  const commit = new GroupCommit();
  commit.sent(0);
  const [first, , , fourth] = [1, 2, 3, 4].map((now) => commit.exhausted(now));
  assert.ok(first !== undefined && first >= 20 && first <= 60, `${first}`);
  assert.ok(fourth !== undefined && fourth >= 160, `${fourth}`);
  assert.equal(commit.wait(5, 500, 0), null, 'no second');
  commit.returned(100, 20);
  assert.ok((commit.wait(100, 500, 0) ?? 0) > 100, 'keeps its distance');
  for (let now = 1_000; now < 60_000; now += 1_000) {
    commit.sent(now);
    commit.returned(now + 20, 20);
  }
  assert.equal(commit.wait(60_000, 1, 0), 0, 'nothing of it is left');
});
