// A request is read within limits that are judged before anything is built, and a large one is read to its end.

import { fromBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { EctError, reject } from '../../../../src/errors.ts';
import {
  BatchIssueRequestSchema,
  IssueRequestSchema,
  ValidateDAGRequestSchema,
} from '../../../../src/gen/ect/v1/authority_pb.ts';
import { type Codec, readMessage } from '../../../../src/transport/messages/reading/read-message.ts';
import { extTooLarge, json, outcomeOf, proto, tooDeep, tooManyValues, values, write } from './outcomes.ts';
import { field, fill, nest, varint } from './worst-cases.ts';

describe('H22: before anything is built', () => {
  test('a message of more than 16,384 values is rejected', async () => {
    expect(await proto(values(16_384))).toMatchObject({ $typeName: 'ect.v1.IssueRequest' });
    expect(await proto(values(16_385))).toMatchObject(tooManyValues);
    expect(await json(`{"aud":[${'"",'.repeat(16_382)}""]}`)).toMatchObject({ $typeName: 'ect.v1.IssueRequest' });
    expect(await json(`{"aud":[${'"",'.repeat(16_384)}""]}`)).toMatchObject(tooManyValues);
  });

  test('an item of more values is rejected, and so is a batch with them beside its items', async () => {
    const inner = field(2, fill(field(2, Buffer.alloc(0)), 2 * 16_384));
    const items = Buffer.concat([field(1, Buffer.alloc(0)), field(1, inner)]);
    expect(await proto(items, BatchIssueRequestSchema)).toMatchObject(tooManyValues);
    expect(await proto(values(16_385), BatchIssueRequestSchema)).toMatchObject(tooManyValues);
    const text = `{"items":[{},{"request":{"pred":[${'"",'.repeat(16_384)}""]}}]}`;
    expect(await json(text, BatchIssueRequestSchema)).toMatchObject(tooManyValues);
  });

  test('a batch of more than 262,144 lists and objects in all its items is rejected, however few each of them has', async () => {
    const tooMany = { reason: 'MESSAGE_TOO_LARGE', metadata: { limit_values: '262144' } };
    // 1,000 empty lists in a list of a Struct.
    const list = fill(field(1, field(6, Buffer.alloc(0))), 4 * 1_000);
    const member = Buffer.concat([field(1, Buffer.from('a')), field(2, field(6, list))]);
    const item = field(1, field(2, field(12, field(1, member))));
    const items = (count: number) => proto(fill(item, count * item.length), BatchIssueRequestSchema);
    expect(await items(261)).toMatchObject({ items: { length: 261 } });
    expect(await items(262)).toMatchObject(tooMany);
    const text = `{"request":{"ectExt":{"a":[${'[],'.repeat(999)}[]]}}}`;
    const batch = (count: number) =>
      json(`{"items":[${`${text},`.repeat(count - 1)}${text}]}`, BatchIssueRequestSchema);
    expect(await batch(261)).toMatchObject({ items: { length: 261 } });
    expect(await batch(262)).toMatchObject(tooMany);
  });

  test('a message nested more than 100 deep is rejected', async () => {
    const group = (depth: number) => Buffer.from('fb01'.repeat(depth) + 'fc01'.repeat(depth), 'hex');
    expect(await proto(group(99))).toMatchObject({ $typeName: 'ect.v1.IssueRequest' });
    expect(await proto(group(100))).toMatchObject(tooDeep);
    let value: Uint8Array = Buffer.from('0800', 'hex');
    for (let depth = 0; depth < 60; depth++) value = field(6, field(1, value));
    expect(
      await proto(field(12, field(1, Buffer.concat([field(1, Buffer.from('a')), field(2, value)])))),
    ).toMatchObject(tooDeep);
    expect(await json(`{"ectExt":{"a":${nest('[', '', ']', 98)}}}`)).toMatchObject({ extension: { case: 'ectExt' } });
    expect(await json(`{"ectExt":{"a":${nest('[', '', ']', 99)}}}`)).toMatchObject(tooDeep);
    expect(await json('['.repeat(200_000))).toMatchObject(tooDeep);
  });

  test.each<[Codec]>([['proto'], ['json']])(
    'a batch of more than 1,000 items is rejected in %s, as by its procedure',
    async (codec) => {
      const batch = (count: number) => {
        const items = Array.from({ length: count }, (_, i) => ({ reference: `item ${i}`.padStart(40) }));
        return write(BatchIssueRequestSchema, codec, { items });
      };
      expect(await outcomeOf(BatchIssueRequestSchema, codec, batch(1000))).toMatchObject({ items: { length: 1000 } });
      const tooMany = {
        reason: 'REQUEST_INVALID',
        message: 'items must have 1 to 1000 items.',
        metadata: { field: 'items' },
      };
      expect(await outcomeOf(BatchIssueRequestSchema, codec, batch(1001))).toMatchObject(tooMany);
      const empty =
        codec === 'json' ? Buffer.from(`{"items":[${'{},'.repeat(1000)}{}]}`) : fill(Buffer.from('0a00', 'hex'), 2002);
      expect(await outcomeOf(BatchIssueRequestSchema, codec, empty)).toMatchObject(tooMany);
    },
  );

  test.each<[string, number]>([
    ['null', 4000],
    ['1', 8192],
    ['"x"', 4096],
    ['[]', 6000],
    ['{}', 6000],
  ])(
    'an ect_ext with a list of %s, %i times, is rejected, and a little one is left to its rule',
    async (value, count) => {
      for (const codec of ['proto', 'json'] as const) {
        const request = (length: number) => {
          const ectExt = { a: Array.from({ length }, () => JSON.parse(value) as never) };
          return write(IssueRequestSchema, codec, { extension: { case: 'ectExt', value: ectExt } });
        };
        expect(await outcomeOf(IssueRequestSchema, codec, request(count))).toMatchObject(extTooLarge);
        expect(await outcomeOf(IssueRequestSchema, codec, request(1600))).toMatchObject({
          extension: { case: 'ectExt' },
        });
      }
    },
  );

  test('an ect_ext of long names or texts is rejected', async () => {
    for (const ectExt of [{ ['x'.repeat(17_000)]: 1 }, { a: 'x'.repeat(17_000) }]) {
      const extension = { case: 'ectExt', value: ectExt } as const;
      for (const codec of ['proto', 'json'] as const) {
        expect(
          await outcomeOf(IssueRequestSchema, codec, write(IssueRequestSchema, codec, { extension })),
        ).toMatchObject(extTooLarge);
      }
    }
  });
});

describe('a large batch', () => {
  const ectExt = { 'org.example.note': 'ü'.repeat(1000), list: Array.from({ length: 300 }, (_, i) => i) };
  const items = Array.from({ length: 1000 }, (_, i) => ({
    reference: String(i),
    request: { execAct: 'review_spec', aud: ['urn:b'], extension: { case: 'ectExt' as const, value: ectExt } },
  }));

  test.each<[Codec]>([['proto'], ['json']])(
    'is read in slices in %s, as the generated codec reads it',
    async (codec) => {
      const bytes = write(BatchIssueRequestSchema, codec, { items });
      const read = readMessage(BatchIssueRequestSchema, codec, bytes);
      expect(read).toBeInstanceOf(Promise);
      expect(await read).toEqual(
        fromBinary(BatchIssueRequestSchema, write(BatchIssueRequestSchema, 'proto', { items })),
      );
    },
  );

  test.each<[Codec]>([['proto'], ['json']])('is given up in %s when its caller has gone', async (codec) => {
    const bytes = write(BatchIssueRequestSchema, codec, { items });
    const controller = new AbortController();
    const outcome = outcomeOf(BatchIssueRequestSchema, codec, bytes, controller.signal);
    controller.abort(new EctError(reject('DEADLINE_EXCEEDED', 'too late')));
    expect(await outcome).toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
    expect(await outcomeOf(BatchIssueRequestSchema, codec, bytes, AbortSignal.abort())).toMatchObject({
      reason: 'CALL_CANCELLED',
    });
  });

  test.each([
    ['a comma at its end', '{"items":[{},]}'],
    ['a comma at its beginning', '{"items":[,{}]}'],
    ['two items without a comma', '{"items":[{} {}]}'],
    ['a bracket of the other kind', '{"items":[{}}'],
    ['a list of its own twice', '{"items":[{}],"items":[{}]}'],
    ['its list in both spellings', '{"items":[{}],"it\\u0065ms":[{}]}'],
  ])('with %s is rejected', async (_, text) => {
    expect(await json(text, BatchIssueRequestSchema)).toMatchObject({ reason: 'REQUEST_MALFORMED' });
  });

  test.each([
    ['{"items":[]}', 0],
    ['{ "items" : [ ] }', 0],
    ['{"items":null}', 0],
    ['{"items":[{"request":{"aud":["]","[",","]}} , {} ]}', 2],
    ['{"\\u0069tems":[{"reference":"items"}]}', 1],
  ])('%s has %i items', async (text, length) => {
    expect(await json(text, BatchIssueRequestSchema)).toMatchObject({ items: { length } });
  });
});

test('the largest legal bundle is read: 10,000 tokens', async () => {
  const tokens = Array.from({ length: 10_000 }, (_, i) => `${i}`.padStart(400, 'x'));
  for (const codec of ['proto', 'json'] as const) {
    const bytes = write(ValidateDAGRequestSchema, codec, { subject: { case: 'bundle', value: { tokens } } });
    expect(await readMessage(ValidateDAGRequestSchema, codec, bytes)).toMatchObject({ subject: { value: { tokens } } });
  }
});

test('a length is read to its end', () => {
  expect(varint(300)).toEqual(Buffer.from('ac02', 'hex'));
});
