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
  readonly pending: PendingRecordings;
  dispose(): Promise<void>;
}

const LONG_MS = 50_000;
const LIMITS: PendingLimits = { total: 5, perCaller: 3 };
const FAILURE = reject('DAG_DUPLICATE_TASK', 'Another token is recorded.', { jti: JTI });

/** A pending recording as Issue makes it: the digest is that of the signing input. */
export function recordingFor(
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
    requestedAt: 1_772_000_000,
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
    let pending: PendingRecordings;
    const [one, other] = [recordingFor(JTI), recordingFor(JTI, { content: 'other' })];

    beforeEach(async () => {
      fixture = await makeFixture(LIMITS);
      pending = fixture.pending;
    });
    afterEach(() => fixture.dispose());

    /** Every byte, whichever class the driver makes of it. */
    const plain = ({ digest, provenance, ...order }: PendingRecording) => ({
      ...order,
      digest: Buffer.from(digest).toString('hex'),
      provenance: provenance && Buffer.from(provenance).toString(),
    });

    test('a pending recording is open from the moment at which it was added, until it is done', async () => {
      expect(await pending.find(one)).toBeUndefined();
      expect(await pending.add(one, LONG_MS)).toBe('added');
      const found = await pending.find({ wid: '', jti: JTI });
      expect([Buffer.from(found?.digest ?? []), found?.failure]).toEqual([Buffer.from(one.digest), undefined]);
      await pending.done(one);
      expect(await pending.find(one)).toBeUndefined();
      expect(await pending.add(other, LONG_MS)).toBe('added');
    });

    test('R5: of two tokens for one task the first is kept; the same token again changes nothing', async () => {
      const outcomes = [one, one, other].map((recording) => pending.add(recording, LONG_MS));
      expect(await Promise.all(outcomes)).toEqual(['added', 'duplicate', 'conflict']);
      expect(await pending.add(one, LONG_MS)).toBe('duplicate');
      expect(await pending.add(other, LONG_MS)).toBe('conflict');
      const found = await pending.find(one);
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
        expect(await pending.add(recordingFor(jti, { wid }), 0)).toBe('added');
        const taken = await pending.take(10, LONG_MS);
        expect(taken.map(({ wid: found, jti: task }) => [found, task])).toEqual([[wid, jti]]);
        await pending.done(recordingFor(jti, { wid }));
      }
    });

    test('a pending recording is handed out whole once its lease is over, and to one at a time', async () => {
      const recording = recordingFor(JTI, { wid: WID, iss: 'urn:ü', caller: 'spiffe://example.org/ada' });
      await pending.add(recording, 0);
      const both = await Promise.all([pending.take(10, LONG_MS), pending.take(10, LONG_MS)]);
      expect(both.flat().map(plain)).toEqual([plain(recording)]);
      expect(await pending.take(10, LONG_MS)).toEqual([]);
    });

    test('a lease is kept from others, and a limit holds', async () => {
      await pending.add(recordingFor('leased'), LONG_MS);
      for (const jti of ['a', 'b']) await pending.add(recordingFor(jti), 0);
      const first = await pending.take(1, LONG_MS);
      const second = await pending.take(10, LONG_MS);
      expect([first.length, [...first, ...second].map(({ jti }) => jti).sort()]).toEqual([1, ['a', 'b']]);
    });

    test('a lease of nothing is over at once, so that a pending recording can be taken again', async () => {
      await pending.add(one, 0);
      for (let round = 0; round < 3; round++) expect(await pending.take(10, 0)).toHaveLength(1);
    });

    test('what a pending recording says of its caller is handed out as it was added, and so is that it says nothing', async () => {
      const added = [one, { ...recordingFor(OTHER_JTI), provenance: undefined }];
      for (const recording of added) await pending.add(recording, 0);
      const taken = (await pending.take(10, LONG_MS)).map(plain);
      expect(taken).toHaveLength(2);
      expect(taken).toEqual(expect.arrayContaining(added.map(plain)));
    });

    test('a pending recording that failed tells why, has lost its token, is not handed out, and its place is free', async () => {
      await pending.add(one, 0);
      await pending.failed(one, FAILURE, LONG_MS);
      expect(await pending.find(one)).toMatchObject({ failure: FAILURE });
      expect(await pending.take(10, 0)).toEqual([]);
      expect(await pending.add(other, 0)).toBe('added');
      expect((await pending.find(one))?.failure).toBeUndefined();
      expect((await pending.take(10, 0)).map(plain)).toEqual([plain(other)]);
    });

    test('why a pending recording failed is forgotten after its time', async () => {
      await pending.add(one, 0);
      await pending.failed(one, FAILURE, 0);
      await expect.poll(() => pending.find(one)).toBeUndefined();
    });

    test('what ends a pending recording does not end a later one for the same task, nor one that has failed', async () => {
      await pending.add(one, 0);
      await pending.failed(one, FAILURE, LONG_MS);
      await pending.done(one);
      expect(await pending.find(one)).toMatchObject({ failure: FAILURE });
      await pending.add(other, 0);
      await pending.done(one);
      await pending.failed(one, FAILURE, LONG_MS);
      expect((await pending.find(one))?.failure).toBeUndefined();
      expect(await pending.take(10, 0)).toHaveLength(1);
    });

    test('H27: only so many are open of one caller, and of all; what is done or has failed makes room', async () => {
      const add = (jti: string, caller: string) =>
        pending.add(recordingFor(jti, { caller }), LONG_MS).catch((error) => error.metadata);
      const own = await Promise.all(['a', 'b', 'c', 'd'].map((jti) => add(jti, 'ada')));
      const ofCaller = { quota: 'open_recordings_per_caller', limit: '3', retry_after_seconds: '1' };
      expect(own).toEqual(['added', 'added', 'added', ofCaller]);
      expect(await add('a', 'ada')).toBe('duplicate');
      expect(await add('e', 'bob')).toBe('added');
      expect(await add('f', 'bob')).toBe('added');
      // As many as all may have: no quota of this caller.
      expect(await add('g', 'bob')).toEqual({});
      await pending.done(recordingFor('a'));
      await pending.failed(recordingFor('b'), FAILURE, LONG_MS);
      expect(await add('d', 'ada')).toBe('added');
      expect(await add('g', 'bob')).toBe('added');
      expect(await add('h', 'bob')).toMatchObject({ limit: '3' });
    });

    test('closed, it rejects with LEDGER_UNAVAILABLE, and may be closed again', async () => {
      await pending.close();
      await pending.close();
      const unavailable = { reason: 'LEDGER_UNAVAILABLE' };
      await expect(pending.add(one, 0)).rejects.toMatchObject(unavailable);
      await expect(pending.find(one)).rejects.toMatchObject(unavailable);
      await expect(pending.take(1, 0)).rejects.toMatchObject(unavailable);
      await expect(pending.done(one)).rejects.toMatchObject(unavailable);
    });

    test('pending recordings and failures are there after a restart', async (context) => {
      const { open } = fixture;
      if (open === undefined) return context.skip('the adapter is not durable');
      await pending.add(one, 0);
      await pending.add(recordingFor(OTHER_JTI), 0);
      await pending.failed(recordingFor(OTHER_JTI), FAILURE, LONG_MS);
      await pending.close();
      const reopened = await open();
      expect(await reopened.find(recordingFor(OTHER_JTI))).toMatchObject({ failure: FAILURE });
      expect((await reopened.take(10, 0)).map(plain)).toEqual([plain(one)]);
      await reopened.close();
    });

    test('through two on the same storage a task has one pending recording, seen by both, and each pending recording one taker', async (context) => {
      const { open } = fixture;
      if (open === undefined) return context.skip('the adapter is not shared');
      const second = await open();
      const rivals = await Promise.all([pending.add(one, 0), second.add(other, 0)]);
      expect(rivals.sort()).toEqual(['added', 'conflict']);
      for (const jti of ['a', 'b']) await second.add(recordingFor(jti), 0);
      const taken = await Promise.all([pending.take(2, LONG_MS), second.take(2, LONG_MS)]);
      expect(
        taken
          .flat()
          .map(({ jti }) => jti)
          .sort(),
      ).toEqual([JTI, 'a', 'b'].sort());
      expect(await pending.find(recordingFor('a'))).toBeDefined();
      await pending.done(recordingFor('a'));
      expect(await second.find(recordingFor('a'))).toBeUndefined();
      await second.close();
    });
  });
}
