import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { DoubleValueSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, test } from 'vitest';
import { toStatus } from '../../../src/calls/errors.ts';
import { EctError, reject } from '../../../src/errors.ts';
import {
  BatchIssueResponseSchema,
  GetAuthorityResponseSchema,
  IssueResponseSchema,
  ValidateDAGResponseSchema,
  VerifyResponseSchema,
} from '../../../src/gen/ect/v1/authority_pb.ts';
import { EntrySchema, ListEntriesResponseSchema } from '../../../src/gen/ect/v1/ledger_pb.ts';
import { writeFrame } from '../../../src/transport/messages/grpc-frame.ts';
import { createFrameEncoder } from '../../../src/transport/unary/encoder.ts';
import { fc } from '../../support/random.ts';

/** What the general codec makes of the same answer. */
function general(type: DescMessage, answer: object): Buffer {
  return writeFrame(toBinary(type, create(type, answer as MessageInitShape<DescMessage>)));
}

const claims = {
  iss: 'urn:ect:dev',
  aud: ['urn:a', 'urn:ü😀'],
  iat: { seconds: 1_772_000_000n, nanos: 0 },
  exp: { seconds: 253_402_300_799n, nanos: 0 },
  jti: '550e8400-e29b-41d4-a716-446655440000',
  execAct: 'x'.repeat(200),
  pred: [],
  ectExt: { a: [1, { b: null }], c: true },
};

describe('an answer', () => {
  test.each([
    [
      'with nested messages, a Struct and large integers',
      IssueResponseSchema,
      { token: 'a.b.c', claims, kid: 'k', level: 3 },
    ],
    ['that is empty', IssueResponseSchema, {}],
    ['of defaults only', VerifyResponseSchema, { checks: [], level: 0, kid: '' }],
    ['that says false', VerifyResponseSchema, { valid: false, level: 0 }],
    [
      'with a map of texts',
      VerifyResponseSchema,
      { valid: false, finding: { reason: 17, message: 'm', metadata: { limit_bytes: '4096', b: 'ü' }, remedy: 'r' } },
    ],
    ['with a map that is empty', VerifyResponseSchema, { finding: { metadata: {} } }],
    [
      'with a list of messages',
      VerifyResponseSchema,
      { valid: true, checks: [{ name: 'size', status: 1 }, { status: 2, finding: { reason: 300 } }, {}] },
    ],
    [
      'with bytes and a timestamp',
      ListEntriesResponseSchema,
      {
        entries: [{ index: 7n, leaf: Buffer.from('leaf'), recordedAt: { seconds: 5n, nanos: 7 } }],
        nextPageToken: 'n',
      },
    ],
    [
      'with times and spans, also of nothing',
      GetAuthorityResponseSchema,
      {
        endpoints: { a: 'b' },
        limits: { defaultTtl: { seconds: 600n, nanos: 0 }, maxTtl: {}, callTime: { nanos: 999_999_999 } },
      },
    ],
    ['with a field that is set to its default', EntrySchema, { index: 0n }],
    [
      'with both arms of a oneof',
      BatchIssueResponseSchema,
      {
        results: [
          { reference: 'r', result: { case: 'response', value: { token: 't' } } },
          { result: { case: 'error', value: toStatus(new EctError(reject('REQUEST_INVALID', 'x', { field: 'f' }))) } },
          {},
        ],
      },
    ],
    ['that the general codec must write', DoubleValueSchema, { value: 1.5 }],
  ] as const)('%s is written byte for byte as the general codec writes it', (_, type, answer) => {
    expect(createFrameEncoder(type)(answer)).toEqual(general(type, answer));
  });

  test('of any size is written, and the next one after it', () => {
    const encode = createFrameEncoder(ValidateDAGResponseSchema);
    for (const size of [10, 40_000, 5_000_000, 10]) {
      const answer = { size, drawing: 'g'.repeat(size), roots: [{ wid: 'w', jti: 'a' }, { jti: 'b' }] };
      expect(encode(answer).equals(general(ValidateDAGResponseSchema, answer))).toBe(true);
    }
  });

  test('of random texts, bytes and numbers is written as the general codec writes it', () => {
    const encode = createFrameEncoder(ListEntriesResponseSchema);
    const entry = fc.record({
      index: fc.bigInt({ min: 0n, max: 9_007_199_254_740_991n }),
      leaf: fc.uint8Array({ maxLength: 400 }),
      body: fc.oneof(
        fc.record({
          case: fc.constant('task' as const),
          value: fc.record({
            name: fc.record({ jti: fc.string({ unit: 'binary' }) }),
            pred: fc.array(fc.string()),
            iat: fc.record({ seconds: fc.bigInt({ min: 0n, max: 9_007_199_254_740_991n }) }),
          }),
        }),
        fc.record({
          case: fc.constant('key' as const),
          value: fc.record({ kid: fc.string(), state: fc.constantFrom(0, 2, 3) }),
        }),
      ),
    });
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        expect(encode({ entries }).equals(general(ListEntriesResponseSchema, { entries }))).toBe(true);
      }),
    );
  });

  test('is the caller’s to keep: the next answer does not change it', () => {
    const encode = createFrameEncoder(IssueResponseSchema);
    const first = encode({ token: 'first' });
    encode({ token: 'other' });
    expect(first).toEqual(general(IssueResponseSchema, { token: 'first' }));
  });

  test.each([-1n, 9_007_199_254_740_992n])('with the number %s is a mistake of ours', (index) => {
    const encode = createFrameEncoder(ListEntriesResponseSchema);
    expect(() => encode({ entries: [{ index }] })).toThrow(RangeError);
  });
});
