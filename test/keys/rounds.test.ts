// Signatures are made and checked in rounds, and whoever waits for one learns what became of its own.

import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { andThen, type Cut, Rounds } from '../../src/keys/index.ts';

/** Something cut at its signature, which writes down what is done. */
function cut<T>(name: string, seen: string[], finish: () => T | Promise<T>, settle = () => {}): Cut<T> {
  return {
    owesSignature: true,
    settle: () => {
      seen.push(`settle ${name}`);
      settle();
    },
    finish: () => {
      seen.push(`finish ${name}`);
      return finish();
    },
  };
}

function order(rounds: Rounds, count: number) {
  const seen: string[] = [];
  const results = Array.from({ length: count }, (_, at) =>
    Promise.resolve(rounds.finish(cut(`${at}`, seen, () => at))),
  );
  return { seen, results };
}

const lines = (what: string, count: number) => Array.from({ length: count }, (_, at) => `${what} ${at}`);

test('what was begun in one turn is settled one after the other, and only then finished', async () => {
  const { seen, results } = order(new Rounds(), 3);
  expect(seen).toEqual([]);
  expect(await Promise.all(results)).toEqual([0, 1, 2]);
  expect(seen).toEqual([...lines('settle', 3), ...lines('finish', 3)]);
});

test('a full round does not wait for the end of the turn, and what comes after it gets a round of its own', async () => {
  const { seen, results } = order(new Rounds(), 33);
  expect(seen).toEqual([...lines('settle', 32), ...lines('finish', 32)]);
  await turn();
  expect(seen.slice(-2)).toEqual(['settle 32', 'finish 32']);
  expect(await Promise.all(results)).toHaveLength(33);
});

test('a round begins in the turn in which it was ordered, also after one that was full', async () => {
  const rounds = new Rounds();
  for (const count of [32, 1, 31, 2]) {
    const { seen, results } = order(rounds, count);
    await turn();
    expect(seen).toEqual([...lines('settle', count), ...lines('finish', count)]);
    await Promise.all(results);
  }
});

test('what owes no signature is finished at once', () => {
  const seen: string[] = [];
  const free = { ...cut('it', seen, () => 'done'), owesSignature: false };
  expect(new Rounds().finish(free)).toBe('done');
  expect(seen).toEqual(['finish it']);
});

test('what is begun while a round is finished belongs to the next one', async () => {
  const rounds = new Rounds();
  const seen: string[] = [];
  const outer = rounds.finish(cut('outer', seen, () => rounds.finish(cut('inner', seen, () => 'of inner'))));
  await rounds.finish(cut('beside', seen, () => undefined));
  expect(seen).toEqual(['settle outer', 'settle beside', 'finish outer', 'finish beside']);
  expect(await outer).toBe('of inner');
});

test('a failure is that of who owed the signature, and of nobody else; what was not settled is not finished', async () => {
  const rounds = new Rounds();
  const seen: string[] = [];
  const fail = (name: string) => () => {
    throw new Error(`of ${name}`);
  };
  const settled = await Promise.allSettled([
    rounds.finish(cut('1', seen, () => 1)),
    rounds.finish(cut('2', seen, () => 2, fail('2'))),
    rounds.finish(cut('3', seen, fail('3'))),
    rounds.finish(cut('4', seen, () => Promise.reject(new Error('of 4')))),
    rounds.finish(cut('5', seen, () => Promise.resolve(5))),
  ]);
  expect(settled).toMatchObject([
    { value: 1 },
    { reason: { message: 'of 2' } },
    { reason: { message: 'of 3' } },
    { reason: { message: 'of 4' } },
    { value: 5 },
  ]);
  expect(seen).not.toContain('finish 2');
});

test('what follows a cut owes its signature and gets its result, now or later', async () => {
  const seen: string[] = [];
  const now = andThen(
    cut('now', seen, () => 1),
    (result) => result + 1,
  );
  expect(now.owesSignature).toBe(true);
  now.settle();
  expect(now.finish()).toBe(2);
  const later = andThen({ ...cut('later', seen, async () => 2), owesSignature: false }, (result) => result + 1);
  expect(later.owesSignature).toBe(false);
  expect(await later.finish()).toBe(3);
  expect(seen).toEqual(['settle now', 'finish now', 'finish later']);
});
