// Signatures of calls and items that were begun together are made and checked one right after the other.

import { expect, test } from 'vitest';
import { SignatureBatcher } from '../../src/keys/index.ts';

/** An item that signs, and then does something else. */
async function item(batcher: SignatureBatcher, name: string, seen: string[], sign: () => unknown = () => name) {
  const signature = await batcher.add(() => {
    seen.push(`sign ${name}`);
    return sign();
  });
  seen.push(`finish ${name}`);
  return signature;
}

test('all signatures of items that were begun together come before the rest of any of them', async () => {
  const seen: string[] = [];
  const batcher = new SignatureBatcher();
  expect(await Promise.all(['a', 'b', 'c'].map((name) => item(batcher, name, seen)))).toEqual(['a', 'b', 'c']);
  expect(seen).toEqual(['sign a', 'sign b', 'sign c', 'finish a', 'finish b', 'finish c']);
});

test('an item whose signature is due later has it made then, without waiting for others', async () => {
  const seen: string[] = [];
  const batcher = new SignatureBatcher();
  const late = new Promise(setImmediate).then(() => item(batcher, 'late', seen));
  await item(batcher, 'first', seen);
  expect(seen).toEqual(['sign first', 'finish first']);
  await late;
  expect(seen.slice(2)).toEqual(['sign late', 'finish late']);
});

test('a further signature of an item is made after those that are due already', async () => {
  const seen: string[] = [];
  const batcher = new SignatureBatcher();
  const outer = item(batcher, 'outer', seen).then(() => item(batcher, 'inner', seen));
  await Promise.all([outer, item(batcher, 'beside', seen)]);
  expect(seen).toEqual(['sign outer', 'sign beside', 'finish outer', 'finish beside', 'sign inner', 'finish inner']);
});

test('a failure is that of the item whose signature it is, and of no other', async () => {
  const seen: string[] = [];
  const batcher = new SignatureBatcher();
  const fail = (name: string) => () => {
    throw new Error(`of ${name}`);
  };
  const settled = await Promise.allSettled([
    item(batcher, '1', seen),
    item(batcher, '2', seen, fail('2')),
    item(batcher, '3', seen, () => Promise.reject(new Error('of 3'))),
    item(batcher, '4', seen, () => Promise.resolve('answered later')),
  ]);
  expect(settled).toMatchObject([
    { value: '1' },
    { reason: { message: 'of 2' } },
    { reason: { message: 'of 3' } },
    { value: 'answered later' },
  ]);
  expect(seen).not.toContain('finish 2');
});
