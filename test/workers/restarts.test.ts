import { expect, test } from 'vitest';
import { Restarts } from '../../src/workers/restarts.ts';

const LONG_MS = 10_000;
const SHORT_MS = 9_999;

function pauses(lives: readonly number[]): readonly (number | undefined)[] {
  const restarts = new Restarts();
  return lives.map((livedMs) => restarts.afterDeath(livedMs));
}

test('a worker that lived for a while is replaced at once, however often', () => {
  expect(pauses(Array.from({ length: 50 }, () => LONG_MS))).toEqual(Array.from({ length: 50 }, () => 100));
});

test('after short lives each pause is twice the one before, and the sixth in a row is the last', () => {
  expect(pauses(Array.from({ length: 7 }, () => SHORT_MS))).toEqual([100, 200, 400, 800, 1600, undefined, undefined]);
});

test('one good life in between begins the count anew', () => {
  const lives = [0, 0, 0, 0, 0, LONG_MS, 0, 0, 0, 0, 0, 0];
  expect(pauses(lives)).toEqual([100, 200, 400, 800, 1600, 100, 100, 200, 400, 800, 1600, undefined]);
});
