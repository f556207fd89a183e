// What every IssueMemo must keep of its promises, whichever technology is beneath. Times are handed in.

import { hash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { IssuedOnce, IssueMemo } from '../../src/authority/issue-memo.ts';

/** An adapter on storage of its own, with room for at least 2,000 keys. */
export interface IssueMemoFixture {
  /** Opens the storage, again where it was open before. Without: the adapter keeps nothing and shares nothing. */
  readonly open?: () => Promise<IssueMemo>;
  readonly memo: IssueMemo;
  dispose(): Promise<void>;
}

const NOW = 1_772_000_000;
const END = NOW + 600;

function issued(content: string): IssuedOnce {
  return { requestDigest: Uint8Array.from(hash('sha256', content, 'buffer')), token: `header.${content}.signature` };
}

export function issueMemoContract(name: string, makeFixture: () => Promise<IssueMemoFixture>): void {
  describe(`${name} keeps the promises of IssueMemo`, () => {
    let fixture: IssueMemoFixture;
    let memo: IssueMemo;

    beforeEach(async () => {
      fixture = await makeFixture();
      memo = fixture.memo;
    });
    afterEach(() => fixture.dispose());

    test('an unknown key recalls nothing', async () => {
      expect(await memo.recall('ada', 'key', NOW)).toBeUndefined();
    });

    test('the first token under a key is recalled, and answered to everybody who comes later', async () => {
      expect(await memo.remember('ada', 'key', issued('one'), END, NOW)).toEqual(issued('one'));
      expect(await memo.recall('ada', 'key', NOW)).toEqual(issued('one'));
      expect(await memo.remember('ada', 'key', issued('two'), END, NOW)).toEqual(issued('one'));
      expect(await memo.recall('ada', 'key', NOW)).toEqual(issued('one'));
    });

    test('what is remembered may be empty, and is known all the same', async () => {
      const empty = { ...issued('batch'), token: '' };
      expect(await memo.remember('ada', 'batch 1', empty, END, NOW)).toEqual(empty);
      expect(await memo.recall('ada', 'batch 1', NOW)).toEqual(empty);
      expect(await memo.remember('ada', 'batch 1', { ...issued('other'), token: '' }, END, NOW)).toEqual(empty);
    });

    test('of 1,000 at once under one key the first wins, and all others are answered with its token', async () => {
      const answers = await Promise.all(
        Array.from({ length: 1_000 }, (_, n) => memo.remember('ada', 'key', issued(`${n}`), END, NOW)),
      );
      expect(new Set(answers.map(({ token }) => token)).size).toBe(1);
      expect(await memo.recall('ada', 'key', NOW)).toEqual(answers[0]);
    });

    test('a key belongs to its caller, and no choice of characters makes two keys one', async () => {
      const keys = [
        ['ada', 'key'],
        ['grace', 'key'],
        ['ada', ''],
        ['', 'ada'],
        ['ad', 'a'],
        ['ada,key', ''],
        ['ada","key', ''],
        ['ada\u0000', 'key'],
        ['ada', '\u0000key'],
      ] as const;
      for (const [caller, key] of keys) {
        expect(await memo.remember(caller, key, issued(`${caller}/${key}`), END, NOW)).toEqual(
          issued(`${caller}/${key}`),
        );
      }
      for (const [caller, key] of keys) expect(await memo.recall(caller, key, NOW)).toEqual(issued(`${caller}/${key}`));
    });

    test('a key counts up to and including the last second of its time, and is free after it', async () => {
      await memo.remember('ada', 'key', issued('one'), END, NOW);
      expect(await memo.recall('ada', 'key', END)).toEqual(issued('one'));
      expect(await memo.remember('ada', 'key', issued('two'), END + 600, END)).toEqual(issued('one'));
      expect(await memo.recall('ada', 'key', END + 1)).toBeUndefined();
      expect(await memo.remember('ada', 'key', issued('two'), END + 600, END + 1)).toEqual(issued('two'));
      expect(await memo.recall('ada', 'key', END + 600)).toEqual(issued('two'));
    });

    test('a closed memo refuses with IDEMPOTENCY_UNAVAILABLE, and may be closed again', async () => {
      await memo.close();
      await memo.close();
      await expect(memo.recall('ada', 'key', NOW)).rejects.toMatchObject({ reason: 'IDEMPOTENCY_UNAVAILABLE' });
      await expect(memo.remember('ada', 'key', issued('one'), END, NOW)).rejects.toMatchObject({
        reason: 'IDEMPOTENCY_UNAVAILABLE',
      });
    });

    test('a key is remembered after a restart', async (context) => {
      const { open } = fixture;
      if (open === undefined) return context.skip('the adapter is not durable');
      await memo.remember('ada', 'key', issued('one'), END, NOW);
      await memo.close();
      const reopened = await open();
      expect(await reopened.recall('ada', 'key', NOW)).toEqual(issued('one'));
      expect(await reopened.remember('ada', 'key', issued('two'), END, NOW)).toEqual(issued('one'));
      await reopened.close();
    });

    test('through two memos on the same storage every key has one winner', async (context) => {
      const { open } = fixture;
      if (open === undefined) return context.skip('the adapter is not shared');
      const other = await open();
      const remember = (n: number) =>
        (n % 2 === 0 ? memo : other).remember('ada', `${Math.floor(n / 4)}`, issued(`${n}`), END, NOW);
      const answers = await Promise.all(Array.from({ length: 400 }, (_, n) => remember(n)));
      expect(new Set(answers.map(({ token }) => token)).size).toBe(100);
      await other.close();
    });
  });
}
