// A request is read strictly, and within limits that are judged before anything is built.

import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  toBinary,
  toJsonString,
} from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { EctError, reject } from '../../../../src/errors.ts';
import {
  BatchIssueRequestSchema,
  BatchVerifyRequestSchema,
  IssueRequestSchema,
  ValidateDAGRequestSchema,
  VerifyRequestSchema,
} from '../../../../src/gen/ect/v1/authority_pb.ts';
import { GetEntryRequestSchema, ListEntriesRequestSchema } from '../../../../src/gen/ect/v1/ledger_pb.ts';
import { type Codec, readMessage } from '../../../../src/transport/messages/reading/read-message.ts';
import { field, fill, nest, varint } from './worst-cases.ts';

/** What became of a reading: the message, or the error. */
async function outcomeOf(desc: DescMessage, codec: Codec, bytes: Uint8Array, signal?: AbortSignal): Promise<object> {
  try {
    return await readMessage(desc, codec, bytes, signal);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(EctError);
    const { reason, message, metadata: facts, violations } = thrown as EctError;
    return { reason, message, metadata: facts, violations };
  }
}

const json = (text: string, desc: DescMessage = IssueRequestSchema) => outcomeOf(desc, 'json', Buffer.from(text));
const proto = (bytes: Uint8Array, desc: DescMessage = IssueRequestSchema) => outcomeOf(desc, 'proto', bytes);
const malformed = (message: string | RegExp) => ({
  reason: 'REQUEST_MALFORMED',
  message: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
});

const KINDS = 'ENTRY_KIND_TASK, ENTRY_KIND_TAINT, ENTRY_KIND_KEY, ENTRY_KIND_LOSS';

describe('H13: JSON is rejected', () => {
  test.each<[string, Uint8Array]>([
    ['with a byte that is no UTF-8', Buffer.from('{"execAct":"\xff"}', 'latin1')],
    ['with an overlong form', Buffer.from('7b22657865634163 74223a22c08022 7d'.replaceAll(' ', ''), 'hex')],
    ['with a surrogate in UTF-8', Buffer.from('7b2265786563416374223a22eda080227d', 'hex')],
    ['in UTF-16', Buffer.from('{"execAct":"é"}', 'utf16le')],
    ['that ends inside a character', Buffer.from('{"execAct":"é').subarray(0, -1)],
  ])('%s', async (_, bytes) => {
    expect(await outcomeOf(IssueRequestSchema, 'json', bytes)).toMatchObject({ reason: 'REQUEST_MALFORMED' });
  });

  test.each<[string, string, string | RegExp]>([
    ['a byte order mark', '\ufeff{}', 'is not valid JSON'],
    ['an empty text', '', 'is not valid JSON'],
    ['blanks', '  ', 'is not valid JSON'],
    ['an array', '[]', 'the message must be a JSON object'],
    ['null', 'null', 'the message must be a JSON object'],
    ['two texts', '{}{}', 'is not valid JSON'],
    ['a comment', '{/* */}', 'is not valid JSON'],
    ['brackets of two kinds', '{"aud":["a"}', 'is not valid JSON'],
    ['a closing bracket too many', '{}}', 'is not valid JSON'],
    ['an open string', '{"execAct":"', 'is not valid JSON'],
    ['a member twice', '{"execAct":"a","execAct":"b"}', 'two members of one name'],
    ['a member twice, once escaped', '{"execAct":"a","\\u0065xecAct":"b"}', 'two members of one name'],
    ['a member twice inside ect_ext', '{"ectExt":{"a":[{"b":1,"b":1}]}}', 'two members of one name'],
    ['a field in both spellings', '{"execAct":"a","exec_act":"b"}', 'exec_act is given twice'],
    ['two fields of a oneof', '{"inpHash":"a","input":""}', 'input is given beside another field of input_binding'],
    ['an unknown field', '{"execAtc":"a"}', 'execAtc is not a field of ect.v1.IssueRequest (did you mean execAct?)'],
    [
      'one of the other spelling',
      '{"exec_atc":"a"}',
      'exec_atc is not a field of ect.v1.IssueRequest (did you mean exec_act?)',
    ],
    ['one that is like none', '{"zzz":"a"}', /zzz is not a field of ect\.v1\.IssueRequest$/],
    ['one that is too long to compare', `{"execAct${'x'.repeat(80)}":1}`, /ect\.v1\.IssueRequest$/],
    [
      'two unknown fields and one of another type',
      '{"execAtc":"a","audience":"b","ttl":5}',
      'execAtc is not a field of ect.v1.IssueRequest (did you mean execAct?); audience is not a field of ect.v1.IssueRequest (did you mean aud?); ttl must ',
    ],
    ['a number for a string', '{"execAct":1}', 'exec_act must be a string'],
    ['an element that is no string', '{"aud":["a",2]}', 'aud[1] must be a string'],
    ['null in a list', '{"aud":[null]}', 'aud[0] must not be null'],
    ['a string for a list', '{"aud":"a"}', 'aud must be a JSON array'],
    ['a string for a boolean', '{"dryRun":"true"}', 'dry_run must be true or false'],
    ['an unknown level', '{"level":"LEVEL_L9"}', 'level must be one of LEVEL_L1, LEVEL_L2, LEVEL_L3'],
    ['a level with a fraction', '{"level":1.5}', 'level must be one of LEVEL_L1, LEVEL_L2, LEVEL_L3'],
    ['a duration with something behind it', '{"ttl":"5s and more"}', 'ttl must be a duration'],
    ['a duration that is a number', '{"ttl":5}', 'ttl must be a duration'],
    ['a lone high surrogate', '{"execAct":"\\ud83d"}', 'lone surrogate'],
    ['a lone low surrogate', '{"execAct":"\\uDE00"}', 'lone surrogate'],
    ['two high surrogates', '{"execAct":"\\ud83d\\ud83d"}', 'lone surrogate'],
    ['a lone surrogate in a name', '{"ectExt":{"\\udfff":1}}', 'lone surrogate'],
  ])('with %s', async (_, text, message) => {
    expect(await json(text)).toMatchObject(malformed(message));
  });

  test.each<[string, DescMessage, string]>([
    ['{"kinds":"ENTRY_KIND_TASK"}', ListEntriesRequestSchema, 'kinds must be a JSON array'],
    ['{"kinds":["TASK"]}', ListEntriesRequestSchema, `kinds[0] must be one of ${KINDS}`],
    ['{"kinds":["ENTRY_KIND_TASK",null]}', ListEntriesRequestSchema, 'kinds[1] must not be null'],
    ['{"kinds":["ENTRY_KIND_TASK",1.5]}', ListEntriesRequestSchema, `kinds[1] must be one of ${KINDS}`],
    [
      '{"order":"NEWEST"}',
      ListEntriesRequestSchema,
      'order must be one of ENTRY_ORDER_OLDEST_FIRST, ENTRY_ORDER_NEWEST_FIRST',
    ],
    [
      '{"items":[{"execAct":"a"}]}',
      BatchIssueRequestSchema,
      'items[0].execAct is not a field of ect.v1.BatchIssueItem (did you mean request.execAct?)',
    ],
    ['{"pageSize":3e9}', ListEntriesRequestSchema, 'page_size must be a whole number from -2147483648 to 2147483647'],
  ])('%s: the path of each fault, and the values that there are', async (text, desc, message) => {
    const error = await json(text, desc);
    expect(error).toMatchObject(malformed(message));
    expect(error).toMatchObject({ metadata: { field: message.split(' ')[0] } });
  });

  test('enums in lists are taken by name and by number', async () => {
    expect(await json('{"kinds":["ENTRY_KIND_KEY",1]}', ListEntriesRequestSchema)).toMatchObject({ kinds: [3, 1] });
  });

  test('every enum of a request says its values, whichever is asked for wrongly', async () => {
    for (const desc of [IssueRequestSchema, VerifyRequestSchema, ValidateDAGRequestSchema, ListEntriesRequestSchema]) {
      for (const field of desc.fields) {
        if (field.enum === undefined) continue;
        const isList = field.fieldKind === 'list';
        const error = await json(JSON.stringify({ [field.jsonName]: isList ? ['NONE'] : 'NONE' }), desc);
        const rule = `must be one of ${field.enum.values
          .slice(1)
          .map(({ name }) => name)
          .join(', ')}`;
        expect(error, field.name).toMatchObject(malformed(`${field.name}${isList ? '[0]' : ''} ${rule}`));
      }
    }
  });

  test.each([
    '"0x10"',
    '" 5"',
    '"5 "',
    '""',
    '1.5',
    '9007199254740993',
    '"9223372036854775808"',
    'true',
    `"${'9'.repeat(41)}"`,
  ])('whose index is %s', async (value) => {
    expect(await json(`{"index":${value}}`, GetEntryRequestSchema)).toMatchObject(
      malformed('index must be a whole number'),
    );
  });

  test.each([
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01',
    '2026-01-01T00:00:00',
  ])('whose time is %s', async (time) => {
    const text = `{"items":[{"request":{"asOf":"${time}"}}]}`;
    expect(await json(text, BatchVerifyRequestSchema)).toMatchObject(
      malformed('items[0].request.as_of must be a time'),
    );
  });

  test('and every field of every item is named at once, by its name in the schema; an unknown one as it was given', async () => {
    const text =
      '{"items":[{"request":{"execAct":1,"awd":[],"aud":[1,"a",2]}},{},{"request":{"dryRun":"yes","idempotency_key":3}}]}';
    const { violations } = (await json(text, BatchIssueRequestSchema)) as { violations: { field: string }[] };
    expect(violations.map(({ field }) => field)).toEqual([
      'items[0].request.exec_act',
      'items[0].request.awd',
      'items[0].request.aud[0]',
      'items[0].request.aud[2]',
      'items[2].request.dry_run',
      'items[2].request.idempotency_key',
    ]);
    const many = Array.from({ length: 40 }, (_, at) => `{"request":{"x${at}":1}}`);
    const rejected = (await json(`{"items":[${many.join()}]}`, BatchIssueRequestSchema)) as { violations: unknown[] };
    expect(rejected.violations).toHaveLength(16);
  });

  test('and its field is a fact of the error, cut where it is long, with nothing but printable ASCII', async () => {
    expect(await json('{"items":[{},{"request":{"aud":[1]}}]}', BatchIssueRequestSchema)).toMatchObject({
      metadata: { field: 'items[1].request.aud[0]' },
    });
    const { metadata: facts } = (await json(`{"\\u0007é${'x'.repeat(70_000)}":1}`)) as { metadata: { field: string } };
    expect(facts.field).toMatch(/^\\u0007\\u00e9x{60,64}…$/);
  });
});

describe('bytes in JSON', () => {
  test.each(['', 'QQ==', 'QQ', '_-8', '_-8=', '+/8=', '+/8', 'QUJD'])('may be %j', async (text) => {
    const { inputBinding } = (await json(`{"input":"${text}"}`)) as { inputBinding: { value: Uint8Array } };
    expect(Buffer.from(inputBinding.value)).toEqual(Buffer.from(text, 'base64'));
  });

  test.each(['QQ==QQ==', 'Q=Q=', '=QQ=', 'QQ=', 'QQ===', 'Q', 'QR==', 'QUJE\\n', ' QQ==', '+_8', 'Q!Q', '字'])(
    'may not be %j',
    async (text) => {
      expect(await json(`{"input":"${text}"}`)).toMatchObject(malformed('input must be base64'));
    },
  );
});

describe('H13: protobuf is rejected', () => {
  test.each<[string, string]>([
    ['with the wire type of another field', '0801'],
    ['with the wire type of another field, where the rest would be a string', '0800'],
    ['with a packed string', '0d00000000'],
    ['with field number 0', '0200'],
    ['with wire type 7', '0f'],
    ['with the end of a group that did not begin', 'fc01'],
    ['with a group that does not end', 'fb01'],
    ['with a group that ends as another', 'fb01f401'],
    ['with a number of eleven bytes', '78ffffffffffffffffffff01'],
    ['with a length beyond its end', '0a0561'],
    ['with a length of 2^64 - 1', '0affffffffffffffffff01'],
    ['with a string that is no UTF-8', '0a02c328'],
    ['with a message that ends inside a field', '3a0208'],
  ])('%s', async (_, hex) => {
    expect(await proto(Buffer.from(hex, 'hex'))).toMatchObject({ reason: 'REQUEST_MALFORMED' });
    // Also where it is large and looked through first.
    const padding = field(31, Buffer.alloc(10_000));
    expect(await proto(Buffer.concat([padding, Buffer.from(hex, 'hex')]))).toMatchObject({
      reason: 'REQUEST_MALFORMED',
    });
  });
});

const values = (count: number) => fill(Buffer.from('fa0100', 'hex'), 3 * count);
const tooManyValues = { reason: 'MESSAGE_TOO_LARGE', metadata: { limit_values: '16384' } };
const tooDeep = { reason: 'REQUEST_MALFORMED', metadata: { limit_depth: '100' } };
const extTooLarge = { reason: 'EXT_TOO_LARGE', metadata: { limit_bytes: '4096' } };

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

function write<D extends DescMessage>(desc: D, codec: Codec, init: MessageInitShape<D>): Buffer {
  const message = create(desc, init);
  return Buffer.from(codec === 'json' ? toJsonString(desc, message) : toBinary(desc, message));
}
