// What every PendingRecordings must keep of its promises, whichever technology is beneath.

import { hash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PendingLimits, PendingRecording, PendingRecordings } from '../../src/authority/index.ts';
import { reject } from '../../src/errors.ts';
import { JTI, OTHER_JTI, WID } from '../support/tokens.ts';

/** An adapter on storage of its own. */
export interface PendingRecordingsFixture {
  /** Opens the storage again, with these limits. Without: the adapter keeps nothing and shares nothing. */
  readonly open?: () => Promise<PendingRecordings>;
  readonly orders: PendingRecordings;
  dispose(): Promise<void>;
}

const LONG_MS = 50_000;
const LIMITS: PendingLimits = { total: 5, perCaller: 3 };
const FAILURE = reject('DAG_DUPLICATE_TASK', 'Another token is recorded.', { jti: JTI });

/** An order as Issue makes it: the digest is that of the signing input. */
export function orderFor(
  jti: string,
  fields: Partial<PendingRecording> & { readonly content?: string } = {},
): PendingRecording {
  const { content = 'one', ...others } = fields;
  const signingInput = `header.${Buffer.from(`${jti} ${content}`).toString('base64url')}`;
  return {
    wid: '',
    jti,
    iss: 'urn:ect:test',
    caller: 'ada',
    digest: hash('sha256', signingInput, 'buffer'),
    token: `${signingInput}.signature`,
    orderedAt: 1_772_000_000,
    provenance: Buffer.from('{"caller":"ada"}'),
    ...others,
  };
}

export function pendingRecordingsContract(
  name: string,
  makeFixture: (limits: PendingLimits) => Promise<PendingRecordingsFixture>,
): void {
  describe(`${name} keeps the promises of PendingRecordings`, () => {
    let fixture: PendingRecordingsFixture;
    let orders: PendingRecordings;
    const [one, other] = [orderFor(JTI), orderFor(JTI, { content: 'other' })];

    beforeEach(async () => {
      fixture = await makeFixture(LIMITS);
      orders = fixture.orders;
    });
    afterEach(() => fixture.dispose());

    /** Every byte, whichever class the driver makes of it. */
    const plain = ({ digest, provenance, ...order }: PendingRecording) => ({
      ...order,
      digest: Buffer.from(digest).toString('hex'),
      provenance: provenance && Buffer.from(provenance).toString(),
    });

    test('an order is open from the moment at which it was placed, until it is done', async () => {
      expect(await orders.find(one)).toBeUndefined();
      expect(await orders.place(one, LONG_MS)).toBe('placed');
      const found = await orders.find({ wid: '', jti: JTI });
      expect([Buffer.from(found?.digest ?? []), found?.failure]).toEqual([Buffer.from(one.digest), undefined]);
      await orders.done(one);
      expect(await orders.find(one)).toBeUndefined();
      expect(await orders.place(other, LONG_MS)).toBe('placed');
    });

    test('R5: of two tokens for one task the first is kept; the same token again changes nothing', async () => {
      const placed = [one, one, other].map((order) => orders.place(order, LONG_MS));
      expect(await Promise.all(placed)).toEqual(['placed', 'waiting', 'conflict']);
      expect(await orders.place(one, LONG_MS)).toBe('waiting');
      expect(await orders.place(other, LONG_MS)).toBe('conflict');
      const found = await orders.find(one);
      expect(Buffer.from(found?.digest ?? [])).toEqual(Buffer.from(one.digest));
    });

    test('a task is named by its workflow too, and no choice of characters makes two tasks one', async () => {
      const names = [
        ['', 'a'],
        ['a', ''],
        ['w', 'a'],
        ['w"', 'a'],
        ['w","a', ''],
        ['w\u0000', 'a'],
        ['w', '\u0000a'],
      ] as const;
      for (const [wid, jti] of names) {
        expect(await orders.place(orderFor(jti, { wid }), 0)).toBe('placed');
        const taken = await orders.take(10, LONG_MS);
        expect(taken.map(({ wid: found, jti: task }) => [found, task])).toEqual([[wid, jti]]);
        await orders.done(orderFor(jti, { wid }));
      }
    });

    test('an order is handed out whole once its lease is over, and to one at a time', async () => {
      const orderOf = orderFor(JTI, { wid: WID, iss: 'urn:ü', caller: 'spiffe://example.org/ada' });
      await orders.place(orderOf, 0);
      const both = await Promise.all([orders.take(10, LONG_MS), orders.take(10, LONG_MS)]);
      expect(both.flat().map(plain)).toEqual([plain(orderOf)]);
      expect(await orders.take(10, LONG_MS)).toEqual([]);
    });

    test('a lease is kept from others, and a limit holds', async () => {
      await orders.place(orderFor('leased'), LONG_MS);
      for (const jti of ['a', 'b']) await orders.place(orderFor(jti), 0);
      const first = await orders.take(1, LONG_MS);
      const second = await orders.take(10, LONG_MS);
      expect([first.length, [...first, ...second].map(({ jti }) => jti).sort()]).toEqual([1, ['a', 'b']]);
    });

    test('a lease of nothing is over at once, so that an order can be taken again', async () => {
      await orders.place(one, 0);
      for (let round = 0; round < 3; round++) expect(await orders.take(10, 0)).toHaveLength(1);
    });

    test('what an order says of its caller is handed out as it was placed, and so is that it says nothing', async () => {
      const placed = [one, { ...orderFor(OTHER_JTI), provenance: undefined }];
      for (const order of placed) await orders.place(order, 0);
      const taken = (await orders.take(10, LONG_MS)).map(plain);
      expect(taken).toHaveLength(2);
      expect(taken).toEqual(expect.arrayContaining(placed.map(plain)));
    });

    test('an order that failed tells why, has lost its token, is not handed out, and its place is free', async () => {
      await orders.place(one, 0);
      await orders.failed(one, FAILURE, LONG_MS);
      expect(await orders.find(one)).toMatchObject({ failure: FAILURE });
      expect(await orders.take(10, 0)).toEqual([]);
      expect(await orders.place(other, 0)).toBe('placed');
      expect((await orders.find(one))?.failure).toBeUndefined();
      expect((await orders.take(10, 0)).map(plain)).toEqual([plain(other)]);
    });

    test('why an order failed is forgotten after its time', async () => {
      await orders.place(one, 0);
      await orders.failed(one, FAILURE, 0);
      await expect.poll(() => orders.find(one)).toBeUndefined();
    });

    test('what ends an order does not end a later one for the same task, nor one that has failed', async () => {
      await orders.place(one, 0);
      await orders.failed(one, FAILURE, LONG_MS);
      await orders.done(one);
      expect(await orders.find(one)).toMatchObject({ failure: FAILURE });
      await orders.place(other, 0);
      await orders.done(one);
      await orders.failed(one, FAILURE, LONG_MS);
      expect((await orders.find(one))?.failure).toBeUndefined();
      expect(await orders.take(10, 0)).toHaveLength(1);
    });

    test('H27: only so many are open of one caller, and of all; what is done or has failed makes room', async () => {
      const place = (jti: string, caller: string) =>
        orders.place(orderFor(jti, { caller }), LONG_MS).catch((error) => error.metadata);
      const own = await Promise.all(['a', 'b', 'c', 'd'].map((jti) => place(jti, 'ada')));
      const ofCaller = { quota: 'open_recordings_per_caller', limit: '3', retry_after_seconds: '1' };
      expect(own).toEqual(['placed', 'placed', 'placed', ofCaller]);
      expect(await place('a', 'ada')).toBe('waiting');
      expect(await place('e', 'bob')).toBe('placed');
      expect(await place('f', 'bob')).toBe('placed');
      // As many as all may have: no quota of this caller.
      expect(await place('g', 'bob')).toEqual({});
      await orders.done(orderFor('a'));
      await orders.failed(orderFor('b'), FAILURE, LONG_MS);
      expect(await place('d', 'ada')).toBe('placed');
      expect(await place('g', 'bob')).toBe('placed');
      expect(await place('h', 'bob')).toMatchObject({ limit: '3' });
    });

    test('closed, it rejects with LEDGER_UNAVAILABLE, and may be closed again', async () => {
      await orders.close();
      await orders.close();
      const unavailable = { reason: 'LEDGER_UNAVAILABLE' };
      await expect(orders.place(one, 0)).rejects.toMatchObject(unavailable);
      await expect(orders.find(one)).rejects.toMatchObject(unavailable);
      await expect(orders.take(1, 0)).rejects.toMatchObject(unavailable);
      await expect(orders.done(one)).rejects.toMatchObject(unavailable);
    });

    test('orders and failures are there after a restart', async (context) => {
      const { open } = fixture;
      if (open === undefined) return context.skip('the adapter is not durable');
      await orders.place(one, 0);
      await orders.place(orderFor(OTHER_JTI), 0);
      await orders.failed(orderFor(OTHER_JTI), FAILURE, LONG_MS);
      await orders.close();
      const reopened = await open();
      expect(await reopened.find(orderFor(OTHER_JTI))).toMatchObject({ failure: FAILURE });
      expect((await reopened.take(10, 0)).map(plain)).toEqual([plain(one)]);
      await reopened.close();
    });

    test('through two on the same storage a task has one order, seen by both, and each order one taker', async (context) => {
      const { open } = fixture;
      if (open === undefined) return context.skip('the adapter is not shared');
      const second = await open();
      const rivals = await Promise.all([orders.place(one, 0), second.place(other, 0)]);
      expect(rivals.sort()).toEqual(['conflict', 'placed']);
      for (const jti of ['a', 'b']) await second.place(orderFor(jti), 0);
      const taken = await Promise.all([orders.take(2, LONG_MS), second.take(2, LONG_MS)]);
      expect(
        taken
          .flat()
          .map(({ jti }) => jti)
          .sort(),
      ).toEqual([JTI, 'a', 'b'].sort());
      expect(await orders.find(orderFor('a'))).toBeDefined();
      await orders.done(orderFor('a'));
      expect(await second.find(orderFor('a'))).toBeUndefined();
      await second.close();
    });
  });
}
