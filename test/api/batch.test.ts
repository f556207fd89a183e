import { create } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { describe, expect, test, vi } from 'vitest';
import { appendItems, checkBatch, runItems } from '../../src/api/batch.ts';
import { DetailBudget } from '../../src/api/detail-budget.ts';
import { readIssueInput } from '../../src/api/issue-request.ts';
import { readName } from '../../src/api/request-fields.ts';
import { issue } from '../../src/authority/index.ts';
import type { Call } from '../../src/calls/call.ts';
import { EctError, reject } from '../../src/errors.ts';
import {
  AppendLedgerRequestSchema,
  BatchAppendLedgerItemSchema,
  IssueRequestSchema,
} from '../../src/gen/ect/v1/authority_pb.ts';
import { ErrorInfoSchema } from '../../src/gen/google/rpc/error_details_pb.ts';
import type { Status } from '../../src/gen/google/rpc/status_pb.ts';
import { SignatureBatcher } from '../../src/keys/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { AUD } from '../support/tokens.ts';

function callUntil(signal: AbortSignal = new AbortController().signal): Call {
  return { method: 'test', caller: { kind: 'anonymous' }, signal, note: () => {} };
}

const itemsOf = (count: number) => Array.from({ length: count }, (_, at) => ({ reference: `r${at}`, request: at }));

/** The reason and the field in the details of a status. */
function infoOf(status: Status): { reason: string | undefined; field: string | undefined } {
  const info = status.details.map((detail) => anyUnpack(detail, ErrorInfoSchema)).find((found) => found !== undefined);
  return { reason: info?.reason, field: info?.metadata['field'] };
}

function frozenTime(): Disposable {
  vi.useFakeTimers({ toFake: ['performance'] });
  return { [Symbol.dispose]: () => vi.useRealTimers() };
}

describe('running items', () => {
  const batcher = new SignatureBatcher();

  test('results keep the order and the references, whichever item ends first', async () => {
    const waiting: (() => void)[] = [];
    const running = runItems(itemsOf(32), callUntil(), async (request) => {
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        // Not before all have begun: on a busy machine some begin in a later slice.
        if (waiting.length === 32) for (const end of waiting.toReversed()) end();
      });
      return 2 * request;
    });
    const results = await running;
    expect(results.map(({ reference }) => reference)).toEqual(itemsOf(32).map(({ reference }) => reference));
    expect(results.map(({ result }) => result.value)).toEqual(itemsOf(32).map(({ request }) => 2 * request));
  });

  test('items that take long to begin are begun a few at a time, and others are served in between', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const begunIn: number[] = [];
    const results = await runItems(itemsOf(8), callUntil(), async (request) => {
      const { user, system } = process.threadCpuUsage();
      while (process.threadCpuUsage({ user, system }).user < 2_000) Math.random();
      begunIn.push(turns);
      return request;
    });
    clearInterval(timer);
    expect(results.map(({ result }) => result.value)).toEqual(itemsOf(8).map(({ request }) => request));
    expect(new Set(begunIn).size).toBeGreaterThan(2);
  });

  test('an item that is rejected, or has no request, fails alone', async () => {
    const items = [{ reference: 'a', request: 1 }, { reference: 'b' }, { reference: 'c', request: 2 }];
    const results = await runItems(items, callUntil(), async (request) => {
      if (request === 2) throw new EctError(reject('KEY_UNKNOWN', 'No trusted key has this kid.'));
      return request;
    });
    expect(results.map(({ result }) => (result.case === 'error' ? infoOf(result.value) : result.value))).toEqual([
      1,
      { reason: 'REQUEST_INVALID', field: 'items[1].request' },
      { reason: 'KEY_UNKNOWN', field: undefined },
    ]);
  });

  test('the signatures of items are made one right after the other, and each item still stands alone', async () => {
    // The time of one slice stands, or a busy machine would cut the batch between two items.
    using _ = frozenTime();
    const seen: string[] = [];
    const rejected = (at: number) => new EctError(reject('SIGNER_BUSY', `item ${at}`));
    const results = await runItems(itemsOf(6), callUntil(), async (at) => {
      if (at === 1) return 1;
      if (at === 2) throw rejected(2);
      const signature = await batcher.add(() => {
        seen.push(`sign ${at}`);
        if (at === 3) throw rejected(3);
        return at === 4 ? Promise.reject(rejected(4)) : at;
      });
      seen.push(`finish ${at}`);
      return signature;
    });
    expect(seen).toEqual(['sign 0', 'sign 3', 'sign 4', 'sign 5', 'finish 0', 'finish 5']);
    expect(results.map(({ result }) => (result.case === 'error' ? result.value.message : result.value))).toEqual([
      0,
      1,
      expect.stringContaining('item 2'),
      expect.stringContaining('item 3'),
      expect.stringContaining('item 4'),
      5,
    ]);
  });

  test('a bug in the signature of an item fails the call, and nothing else', async () => {
    const running = runItems(itemsOf(3), callUntil(), async (at) => {
      if (at === 0) return new Promise<number>((_, reject) => setImmediate(reject, new RangeError('another')));
      return batcher.add(() => {
        if (at === 1) throw new RangeError('a bug');
        return at;
      });
    });
    await expect(running).rejects.toThrow(RangeError);
    await new Promise(setImmediate);
  });

  test('a bug fails the call', async () => {
    const running = runItems(itemsOf(300), callUntil(), async (request) => {
      if (request % 7 === 0) throw new RangeError('a bug');
      return request;
    });
    await expect(running).rejects.toThrow(RangeError);
  });

  test.each([0, 1001])('%d items are rejected', (count) => {
    const rejected = { reason: 'REQUEST_INVALID', metadata: { field: 'items' } };
    expect(() => checkBatch(itemsOf(count), () => undefined)).toThrow(expect.objectContaining(rejected));
  });

  test('each reference that is too long is named, beside what else is wrong with the batch', () => {
    const long = { reference: 'é'.repeat(65), request: 3 };
    const check = () =>
      checkBatch(
        [...itemsOf(3), long, long],
        () => undefined,
        () => readName('request_id', 'x'.repeat(129)),
      );
    const fields = ['request_id', 'items[3].reference', 'items[4].reference'];
    expect(check).toThrow(
      expect.objectContaining({ violations: fields.map((field) => expect.objectContaining({ field })) }),
    );
  });

  test('H18: while a large batch computes, other calls are served between its items', async () => {
    let others = 0;
    let turn = setImmediate(function serve() {
      others++;
      turn = setImmediate(serve);
    });
    const servedBefore: number[] = [];
    await runItems(itemsOf(1000), callUntil(), async () => servedBefore.push(others));
    clearImmediate(turn);
    expect(servedBefore).toHaveLength(1000);
    // A slice is over after 32 items at the latest, and sooner where they take long.
    for (let at = 32; at < 1000; at++) expect(servedBefore[at]).toBeGreaterThan(servedBefore[at - 32]!);
  });

  test('H14: once the call is over no further item is begun', async () => {
    const over = new AbortController();
    let begun = 0;
    const running = runItems(itemsOf(1000), callUntil(over.signal), async () => {
      if (++begun === 150) over.abort(new EctError(reject('CALL_CANCELLED', 'the caller has cancelled the call')));
    });
    await expect(running).rejects.toMatchObject({ reason: 'CALL_CANCELLED' });
    expect(begun).toBe(160);
  });
});

describe('appending items', () => {
  test('each is answered in its place; one without a token is rejected by its field', async () => {
    const { context } = await makeAuthority();
    const input = readIssueInput(create(IssueRequestSchema, { execAct: 'review', aud: [AUD] }));
    const { token } = await issue(context, { kind: 'anonymous' }, input, new AbortController());
    const item = (reference: string, text: string) =>
      create(BatchAppendLedgerItemSchema, { reference, request: { token: text } });
    const items = [
      create(BatchAppendLedgerItemSchema, { reference: 'a' }),
      item('b', token),
      create(BatchAppendLedgerItemSchema, { reference: 'c', request: create(AppendLedgerRequestSchema) }),
      item('d', 'x.y.z'),
    ];
    const results = await appendItems(context, items, callUntil(), new DetailBudget(0));
    expect(results.map(({ reference }) => reference)).toEqual(['a', 'b', 'c', 'd']);
    expect(
      results.map(({ result }) => (result.case === 'error' ? infoOf(result.value) : result.value.duplicate)),
    ).toEqual([
      { reason: 'REQUEST_INVALID', field: 'items[0].request' },
      false,
      { reason: 'REQUEST_INVALID', field: 'items[2].request.token' },
      { reason: 'TOKEN_MALFORMED', field: undefined },
    ]);
    expect(context.ledger.size).toBe(1);
  });
});
