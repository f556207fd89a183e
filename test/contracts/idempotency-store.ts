// What every IdempotencyStore must keep of its promises, whichever technology is beneath. Times are handed in.

import { hash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { IdempotencyStore, IdempotentResult } from '../../src/authority/idempotency-store.ts';

/** An adapter on storage of its own, with room for at least 2,000 keys. */
export interface IdempotencyStoreFixture {
  /** Opens the storage, again where it was open before. Without: the adapter keeps nothing and shares nothing. */
  readonly open?: () => Promise<IdempotencyStore>;
  readonly idempotency: IdempotencyStore;
  dispose(): Promise<void>;
}

const NOW = 1_772_000_000;
const END = NOW + 600;

function issued(content: string): IdempotentResult {
  return { requestDigest: Uint8Array.from(hash('sha256', content, 'buffer')), token: `header.${content}.signature` };
}

export function idempotencyStoreContract(name: string, makeFixture: () => Promise<IdempotencyStoreFixture>): void {
  describe(`${name} keeps the promises of IdempotencyStore`, () => {
    let fixture: IdempotencyStoreFixture;
    let idempotency: IdempotencyStore;

    beforeEach(async () => {
      fixture = await makeFixture();
      idempotency = fixture.idempotency;
    });
    afterEach(() => fixture.dispose());

    test('an unknown key recalls nothing', async () => {
      expect(await idempotency.findIssued('ada', 'key', NOW)).toBeUndefined();
    });

    test('the first token under a key is found, and returned to every later call', async () => {
      expect(await idempotency.remember('ada', 'key', issued('one'), END, NOW)).toEqual(issued('one'));
      expect(await idempotency.findIssued('ada', 'key', NOW)).toEqual(issued('one'));
      expect(await idempotency.remember('ada', 'key', issued('two'), END, NOW)).toEqual(issued('one'));
      expect(await idempotency.findIssued('ada', 'key', NOW)).toEqual(issued('one'));
    });

    test('what is remembered may be empty, and is known all the same', async () => {
      const empty = { ...issued('batch'), token: '' };
      expect(await idempotency.remember('ada', 'batch 1', empty, END, NOW)).toEqual(empty);
      expect(await idempotency.findIssued('ada', 'batch 1', NOW)).toEqual(empty);
      expect(await idempotency.remember('ada', 'batch 1', { ...issued('other'), token: '' }, END, NOW)).toEqual(empty);
    });

    test('of 1,000 at once under one key the first wins, and all others are answered with its token', async () => {
      const answers = await Promise.all(
        Array.from({ length: 1_000 }, (_, n) => idempotency.remember('ada', 'key', issued(`${n}`), END, NOW)),
      );
      expect(new Set(answers.map(({ token }) => token)).size).toBe(1);
      expect(await idempotency.findIssued('ada', 'key', NOW)).toEqual(answers[0]);
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
        expect(await idempotency.remember(caller, key, issued(`${caller}/${key}`), END, NOW)).toEqual(
          issued(`${caller}/${key}`),
        );
      }
      for (const [caller, key] of keys)
        expect(await idempotency.findIssued(caller, key, NOW)).toEqual(issued(`${caller}/${key}`));
    });

    test('a key counts up to and including the last second of its time, and is free after it', async () => {
      await idempotency.remember('ada', 'key', issued('one'), END, NOW);
      expect(await idempotency.findIssued('ada', 'key', END)).toEqual(issued('one'));
      expect(await idempotency.remember('ada', 'key', issued('two'), END + 600, END)).toEqual(issued('one'));
      expect(await idempotency.findIssued('ada', 'key', END + 1)).toBeUndefined();
      expect(await idempotency.remember('ada', 'key', issued('two'), END + 600, END + 1)).toEqual(issued('two'));
      expect(await idempotency.findIssued('ada', 'key', END + 600)).toEqual(issued('two'));
    });

    test('a closed memo rejects with IDEMPOTENCY_UNAVAILABLE, and may be closed again', async () => {
      await idempotency.close();
      await idempotency.close();
      await expect(idempotency.findIssued('ada', 'key', NOW)).rejects.toMatchObject({
        reason: 'IDEMPOTENCY_UNAVAILABLE',
      });
      await expect(idempotency.remember('ada', 'key', issued('one'), END, NOW)).rejects.toMatchObject({
        reason: 'IDEMPOTENCY_UNAVAILABLE',
      });
    });

    test('a key is remembered after a restart', async (context) => {
      const { open } = fixture;
      if (open === undefined) return context.skip('the adapter is not durable');
      await idempotency.remember('ada', 'key', issued('one'), END, NOW);
      await idempotency.close();
      const reopened = await open();
      expect(await reopened.findIssued('ada', 'key', NOW)).toEqual(issued('one'));
      expect(await reopened.remember('ada', 'key', issued('two'), END, NOW)).toEqual(issued('one'));
      await reopened.close();
    });

    test('through two memos on the same storage every key has one winner', async (context) => {
      const { open } = fixture;
      if (open === undefined) return context.skip('the adapter is not shared');
      const other = await open();
      const remember = (n: number) =>
        (n % 2 === 0 ? idempotency : other).remember('ada', `${Math.floor(n / 4)}`, issued(`${n}`), END, NOW);
      const answers = await Promise.all(Array.from({ length: 400 }, (_, n) => remember(n)));
      expect(new Set(answers.map(({ token }) => token)).size).toBe(100);
      await other.close();
    });
  });
}
