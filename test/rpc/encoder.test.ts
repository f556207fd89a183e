import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { EctError, refuse } from '../../src/errors.ts';
import {
  BatchIssueResponseSchema,
  IssueResponseSchema,
  ValidateDAGResponseSchema,
  VerifyResponseSchema,
} from '../../src/gen/ect/v1/authority_pb.ts';
import { GetEntryRequestSchema, GetWorkflowResponseSchema } from '../../src/gen/ect/v1/ledger_pb.ts';
import { ErrorInfoSchema } from '../../src/gen/google/rpc/error_details_pb.ts';
import { createFrameEncoder } from '../../src/rpc/encoder.ts';
import { toStatus } from '../../src/rpc/errors.ts';
import { writeFrame } from '../../src/rpc/grpc-frame.ts';
import { fc } from '../support/random.ts';

/** What the general codec makes of the same answer. */
function general(type: DescMessage, answer: object): Buffer {
  return writeFrame(toBinary(type, create(type, answer as MessageInitShape<DescMessage>)));
}

const claims = {
  iss: 'urn:ect:dev',
  aud: ['urn:a', 'urn:ü😀'],
  iat: 1_772_000_000n,
  exp: 9_007_199_254_740_991n,
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
    ['of defaults only', VerifyResponseSchema, { valid: false, reason: '', checks: [], level: 0 }],
    [
      'with a list of messages',
      VerifyResponseSchema,
      { valid: true, checks: [{ step: 0, name: 'size', status: 1 }, { step: 300 }, {}] },
    ],
    [
      'with bytes and a timestamp',
      GetWorkflowResponseSchema,
      { wid: 'w', entries: [{ index: 7n, leaf: Buffer.from('leaf'), recordedAt: { seconds: 5n, nanos: 7 } }] },
    ],
    ['with a field that is set to its default', GetEntryRequestSchema, { index: 0n }],
    [
      'with both arms of a oneof',
      BatchIssueResponseSchema,
      {
        results: [
          { reference: 'r', result: { case: 'response', value: { token: 't' } } },
          { result: { case: 'error', value: toStatus(new EctError(refuse('REQUEST_INVALID', 'x', { field: 'f' }))) } },
          {},
        ],
      },
    ],
    ['that the general codec must write', ErrorInfoSchema, { reason: 'R', metadata: { a: 'b' } }],
  ] as const)('%s is written byte for byte as the general codec writes it', (_, type, answer) => {
    expect(createFrameEncoder(type)(answer)).toEqual(general(type, answer));
  });

  test('of any size is written, and the next one after it', () => {
    const encode = createFrameEncoder(ValidateDAGResponseSchema);
    for (const size of [10, 40_000, 5_000_000, 10]) {
      const answer = { size, graph: 'g'.repeat(size), roots: ['a', 'b'] };
      expect(encode(answer).equals(general(ValidateDAGResponseSchema, answer))).toBe(true);
    }
  });

  test('of random texts, bytes and numbers is written as the general codec writes it', () => {
    const encode = createFrameEncoder(GetWorkflowResponseSchema);
    const entry = fc.record({
      index: fc.bigInt({ min: 0n, max: 9_007_199_254_740_991n }),
      jti: fc.string({ unit: 'binary' }),
      pred: fc.array(fc.string()),
      leaf: fc.uint8Array({ maxLength: 400 }),
      level: fc.constantFrom(0, 2, 3),
    });
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        expect(encode({ entries }).equals(general(GetWorkflowResponseSchema, { entries }))).toBe(true);
      }),
    );
  });

  test('is the caller’s to keep: the next answer does not change it', () => {
    const encode = createFrameEncoder(IssueResponseSchema);
    const first = encode({ token: 'first' });
    encode({ token: 'other' });
    expect(first).toEqual(general(IssueResponseSchema, { token: 'first' }));
  });

  test('with a frozen list is written the same each time, and next to other answers', () => {
    const encode = createFrameEncoder(VerifyResponseSchema);
    const checks = Object.freeze([
      { step: 1, name: 'form' },
      { step: 2, name: 'level' },
    ]) as { step: number; name: string }[];
    for (const kid of ['a', 'b', 'c']) {
      const answer = { valid: true, checks, kid };
      expect(encode(answer)).toEqual(general(VerifyResponseSchema, answer));
    }
  });

  test.each([-1n, 9_007_199_254_740_992n])('with the number %s is a mistake of ours', (index) => {
    const encode = createFrameEncoder(GetWorkflowResponseSchema);
    expect(() => encode({ entries: [{ index }] })).toThrow(RangeError);
  });
});
