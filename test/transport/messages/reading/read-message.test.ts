// A request is read strictly, and within limits that are judged before anything is built.

import type { DescMessage } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import {
  BatchIssueRequestSchema,
  BatchVerifyRequestSchema,
  IssueRequestSchema,
  ValidateDAGRequestSchema,
  VerifyRequestSchema,
} from '../../../../src/gen/ect/v1/authority_pb.ts';
import { GetEntryRequestSchema, ListEntriesRequestSchema } from '../../../../src/gen/ect/v1/ledger_pb.ts';
import { json, KINDS, malformed, outcomeOf, proto } from './outcomes.ts';
import { field } from './worst-cases.ts';

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
    [
      '{"requests":[]}',
      BatchIssueRequestSchema,
      'requests is not a field of ect.v1.BatchIssueRequest (its fields: items, requestId)',
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
