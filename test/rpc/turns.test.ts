// Calls stand in line when a turn of the event loop has begun enough of them.

import { beforeEach, expect, test } from 'vitest';
import { createTurns, type Turns } from '../../src/rpc/turns.ts';

/** A clock that stands until work moves it. */
let time: number;
let turns: Turns;

beforeEach(() => {
  time = 0;
  turns = createTurns(() => time);
});

const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve));

test('a turn begins calls for 5 ms; the next turn begins anew', async () => {
  expect(turns.isFull()).toBe(false);
  time += 5;
  expect(turns.isFull()).toBe(false);
  time += 0.1;
  expect(turns.isFull()).toBe(true);
  await nextTurn();
  expect(turns.isFull()).toBe(false);
});

test('H17: who stands in line comes first, in order, as many in a turn as fit into it, and others are served between', async () => {
  const happened: string[] = [];
  const stand = (name: string) =>
    turns.stand(() => {
      happened.push(name);
      time += 2;
    });
  turns.isFull();
  time += 6;
  expect(turns.isFull()).toBe(true);
  for (const name of ['a', 'b', 'c', 'd', 'e']) stand(name);
  await nextTurn();
  expect(happened).toEqual(['a', 'b', 'c']);
  // Nobody overtakes the line, however little this turn has done.
  expect(turns.isFull()).toBe(true);
  happened.push('another call is read and refused');
  await nextTurn();
  expect(happened).toEqual(['a', 'b', 'c', 'another call is read and refused', 'd', 'e']);
  await nextTurn();
  expect(turns.isFull()).toBe(false);
});

test('a line of many is served to its end, over many turns', async () => {
  turns.isFull();
  time += 6;
  let done = 0;
  for (let call = 0; call < 10_000; call++) {
    turns.stand(() => {
      time += 0.01;
      done++;
    });
  }
  let passed = 0;
  for (; done < 10_000; passed++) await nextTurn();
  expect(passed).toBeGreaterThanOrEqual(19);
});
