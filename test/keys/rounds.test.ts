// Signatures are made and checked in rounds, and whoever waits for one learns what became of its own.

import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Rounds, type Signer, signInRounds } from '../../src/keys/index.ts';

const until = { signal: new AbortController().signal };

/** Orders so many pieces of work, and writes down when each is done and when its result is there. */
function order(rounds: Rounds, count: number) {
  const seen: string[] = [];
  const results = Array.from({ length: count }, (_, at) =>
    rounds
      .do(() => {
        seen.push(`work ${at}`);
        return at;
      })
      .then((result) => seen.push(`result ${result}`)),
  );
  return { seen, results };
}

test('what was ordered in one turn is done one after the other, before anybody goes on', async () => {
  const { seen, results } = order(new Rounds(), 3);
  expect(seen).toEqual([]);
  await Promise.all(results);
  expect(seen).toEqual(['work 0', 'work 1', 'work 2', 'result 0', 'result 1', 'result 2']);
});

test('a full round does not wait for the end of the turn, and what comes after it gets a round of its own', async () => {
  const { seen, results } = order(new Rounds(), 33);
  expect(seen).toEqual(Array.from({ length: 32 }, (_, at) => `work ${at}`));
  await turn();
  expect(seen).toContain('work 32');
  await Promise.all(results);
  expect(seen.filter((line) => line.startsWith('result'))).toHaveLength(33);
});

test('a round begins in the turn in which it was ordered, also after one that was full', async () => {
  const rounds = new Rounds();
  for (const count of [32, 1, 31, 2]) {
    const { seen, results } = order(rounds, count);
    await turn();
    expect(seen.slice(0, count)).toEqual(Array.from({ length: count }, (_, at) => `work ${at}`));
    await Promise.all(results);
  }
});

test('work that is ordered by work belongs to the next round', async () => {
  const rounds = new Rounds();
  const seen: string[] = [];
  const outer = rounds.do(() => {
    seen.push('outer');
    return rounds.do(() => seen.push('inner'));
  });
  await rounds.do(() => seen.push('beside'));
  expect(seen).toEqual(['outer', 'beside']);
  await outer;
  expect(seen).toEqual(['outer', 'beside', 'inner']);
});

test('work that throws fails for who ordered it, and for nobody else', async () => {
  const rounds = new Rounds();
  const settled = await Promise.allSettled([
    rounds.do(() => 1),
    rounds.do(() => {
      throw new Error('of the second');
    }),
    rounds.do(() => Promise.reject(new Error('of the third'))),
    rounds.do(() => Promise.resolve(4)),
  ]);
  expect(settled).toMatchObject([
    { value: 1 },
    { reason: { message: 'of the second' } },
    { reason: { message: 'of the third' } },
    { value: 4 },
  ]);
});

test('a signer that signs in rounds has the key, the answer and the refusals of the signer that it stands for', async () => {
  const asked: unknown[] = [];
  const jwk = { kid: 'k' } as unknown as Signer['jwk'];
  const signer: Signer = {
    jwk,
    sign: (input, limit) => {
      asked.push(input, limit);
      if (input.length === 0) throw new Error('from the signer');
      return Buffer.from('signature');
    },
  };
  const choice = signInRounds(
    { for: (iss, act) => (iss === 'a' && act === 'b' ? signer : { ...signer }) },
    new Rounds(),
  );
  const chosen = choice.for('a', 'b');
  expect(chosen).toBe(choice.for('a', 'b'));
  expect(chosen).not.toBe(choice.for('a', 'c'));
  expect(chosen.jwk).toBe(jwk);
  const input = Buffer.from('input');
  expect(await chosen.sign(input, until)).toEqual(Buffer.from('signature'));
  expect(asked).toEqual([input, until]);
  await expect(chosen.sign(Buffer.alloc(0), until)).rejects.toThrow('from the signer');
});
