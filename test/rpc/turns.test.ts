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
      return name;
    });
  turns.isFull();
  time += 6;
  expect(turns.isFull()).toBe(true);
  const calls = ['a', 'b', 'c', 'd', 'e'].map(stand);
  await nextTurn();
  expect(happened).toEqual(['a', 'b', 'c']);
  // Nobody overtakes the line, however little this turn has done.
  expect(turns.isFull()).toBe(true);
  happened.push('another call is read and refused');
  expect(await Promise.all(calls)).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(happened).toEqual(['a', 'b', 'c', 'another call is read and refused', 'd', 'e']);
  await nextTurn();
  expect(turns.isFull()).toBe(false);
});

test('a call that fails when it begins fails alone', async () => {
  turns.isFull();
  time += 6;
  const calls = [
    turns.stand(() => {
      throw new Error('first');
    }),
    turns.stand(() => Promise.reject(new Error('second'))),
    turns.stand(() => 'third'),
  ];
  expect(await Promise.allSettled(calls)).toMatchObject([
    { reason: { message: 'first' } },
    { reason: { message: 'second' } },
    { value: 'third' },
  ]);
});

test('a line of many is served to its end', async () => {
  turns.isFull();
  time += 6;
  let done = 0;
  await Promise.all(
    Array.from({ length: 10_000 }, () =>
      turns.stand(() => {
        time += 0.01;
        done++;
      }),
    ),
  );
  expect(done).toBe(10_000);
});
