// `ect_ext` in requests to issue, as a Struct and as JSON text: what becomes of it, and what is rejected.

import { create, fromBinary, fromJson, toBinary } from '@bufbuild/protobuf';
import { StructSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, test } from 'vitest';
import { readIssueInput } from '../../src/api/issue-request.ts';
import { issue } from '../../src/authority/index.ts';
import type { EctError } from '../../src/errors.ts';
import { IssueRequestSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import { verifyToken } from '../../src/token/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { fieldOf, type IssueFields, issueInput, rejection } from './read-requests.ts';

/** A request whose `ect_ext` is this Struct, as it comes off the wire. */
function withStruct(struct: Uint8Array): Parameters<typeof readIssueInput>[0] {
  const EXT_FIELD = 12;
  return fromBinary(IssueRequestSchema, lengthDelimited(EXT_FIELD, struct));
}

function lengthDelimited(field: number, bytes: Uint8Array): Buffer {
  const length: number[] = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...length]), bytes]);
}

/** One member of a Struct; `value` is an encoded Value. */
function member(name: string, value: Uint8Array): Buffer {
  return lengthDelimited(1, Buffer.concat([lengthDelimited(1, Buffer.from(name)), lengthDelimited(2, value)]));
}

function numberValue(value: number): Buffer {
  const bytes = Buffer.alloc(9, 0x11);
  bytes.writeDoubleLE(value, 1);
  return bytes;
}

const structValue = (struct: Uint8Array) => lengthDelimited(5, struct);

/** The field that is nested too deeply, and the limit. The message says both. */
function tooDeep(read: () => unknown): readonly unknown[] {
  try {
    read();
  } catch (error) {
    const { reason, message, metadata, violations } = error as EctError;
    expect(reason).toBe('EXT_TOO_DEEP');
    const field = violations[0]?.field;
    expect(message).toContain(`${field} is nested more than ${metadata['limit_depth']} deep.`);
    return [field, metadata['limit_depth']];
  }
  return [];
}

describe('ect_ext as a Struct', () => {
  test('becomes compact JSON', () => {
    const value = { a: [1, -0.5, 1e21, true, null, 'é"\n'], b: { c: {} } };
    const struct = toBinary(StructSchema, fromJson(StructSchema, value));
    expect(readIssueInput(withStruct(struct)).ext).toEqual({ value, text: JSON.stringify(value), field: 'ect_ext' });
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('%d is not a number of JSON', (value) => {
    expect(fieldOf(() => readIssueInput(withStruct(member('a', numberValue(value)))))).toBe('ect_ext');
    const deeper = structValue(member('b', numberValue(value)));
    expect(fieldOf(() => readIssueInput(withStruct(member('a', deeper))))).toBe('ect_ext');
  });

  test('T14: nesting is bounded before the claims are looked at', () => {
    const nest = (depth: number): Buffer => (depth === 1 ? Buffer.alloc(0) : member('a', structValue(nest(depth - 1))));
    expect(fieldOf(() => readIssueInput(withStruct(nest(32))))).toBeUndefined();
    expect(tooDeep(() => readIssueInput(withStruct(nest(33))))).toEqual(['ect_ext', '5']);
    // Deeper still, the message itself is rejected.
    expect(() => withStruct(nest(200))).toThrow(/recursion/);
  });

  test('T14: a Struct that was made in memory may be deeper than the stack', () => {
    let struct: NonNullable<IssueFields['extension']>['value'] = {};
    for (let depth = 0; depth < 100_000; depth++) struct = { a: struct as never };
    const request = { ...create(IssueRequestSchema), extension: { case: 'ectExt', value: struct } } as never;
    expect(fieldOf(() => readIssueInput(request))).toBe('ect_ext');
  });

  test('T13: lone surrogates and NUL have no place in a token', () => {
    const fromText = (json: string) => readIssueInput(fromJson(IssueRequestSchema, JSON.parse(json)));
    expect(fieldOf(() => fromText('{"ectExt":{"a":"\\ud800"}}'))).toBe('ect_ext');
    expect(fieldOf(() => fromText('{"ectExt":{"\\udc00":1}}'))).toBe('ect_ext');
    expect(fieldOf(() => fromText('{"ectExt":{"a":"\\u0000"}}'))).toBe('ect_ext');
  });

  test('T22: names that every object has are plain members', () => {
    const { ext } = readIssueInput(
      withStruct(Buffer.concat([member('__proto__', numberValue(1)), member('toJSON', numberValue(2))])),
    );
    expect(ext?.text).toBe('{"__proto__":1,"toJSON":2}');
    expect(Object.keys(ext?.value ?? {})).toEqual(['__proto__', 'toJSON']);
  });

  test('has the limit of the claim, which is in bytes, and no other', () => {
    const struct = toBinary(StructSchema, fromJson(StructSchema, { a: 'x'.repeat(12_000) }));
    expect(readIssueInput(withStruct(struct)).ext?.text).toHaveLength(12_008);
  });
});

describe('ect_ext_json', () => {
  const read = (value: string) => issueInput({ extension: { case: 'ectExtJson', value } });

  test('is kept as it stands', () => {
    const text = ' { "big" : 12345678901234567890.10 , "a" : [ ] } ';
    expect(read(text).ext).toEqual({ text, value: JSON.parse(text), field: 'ect_ext_json' });
  });

  test.each([
    '',
    ' ',
    '[]',
    'null',
    '"a"',
    '{} {}',
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{"a":{"b":1,"b":2}}',
    '{"a":NaN}',
    '{"a":"\\ud800"}',
    '{"a":"\ud800"}',
    '{"a":"\\u0000"}',
    '{"a":1,}',
    '{}}',
    '},"iss":"urn:x","b":{',
    '{"a":[1e400]}',
    `{"a":"${'x'.repeat(16_384)}"}`,
  ])('%j is rejected', (text) => {
    expect(fieldOf(() => read(text))).toBe('ect_ext_json');
  });

  test.each([`${'{"a":'.repeat(33)}1${'}'.repeat(33)}`, `{"a":${'['.repeat(4_000)}`])(
    'nesting beyond what is parsed names the limit of the claim (%#)',
    (text) => {
      expect(tooDeep(() => read(text))).toEqual(['ect_ext_json', '5']);
    },
  );

  test.each(['1e400', '-1e400', '9'.repeat(400)])(
    'a number out of range is rejected at its outermost level too: %s',
    (number) => {
      expect(rejection(() => read(`{"a":${number}}`))).toEqual({
        field: 'ect_ext_json',
        message: 'ect_ext_json must be one strict JSON object: a number is out of range.',
      });
    },
  );

  test.each([
    '{"a":1.50,"b":-0,"c":1e-400,"d":1E+300}',
    '{"a":123456789012345678901234567890}',
    '{"__proto__":{"a":1}}',
  ])('what is read is issued, and what is issued verifies: %s', async (text) => {
    const { context } = await makeAuthority();
    const order = { ...read(text), execAct: 'review', aud: ['urn:a'] };
    const { token } = await issue(context, { kind: 'anonymous' }, order, new AbortController());
    const question = { now: context.now(), purpose: 'presented' } as const;
    expect(verifyToken(token, question, context.policy.token, context.keys)).toMatchObject({
      ok: true,
      token: { claims: { ect_ext: JSON.parse(text) } },
    });
  });
});
