import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import {
  asEctError,
  codeName,
  codeOf,
  madeOnce,
  toConnectError,
  toStatus,
  toStatusDetails,
} from '../../src/calls/errors.ts';
import { failureOf } from '../../src/calls/failures.ts';
import { OVERLOADED } from '../../src/calls/overload.ts';
import { EctError, type ErrorReason, REASONS, reject } from '../../src/errors.ts';
import { file_ect_v1_error_reason } from '../../src/gen/ect/v1/error_reason_pb.ts';
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from '../../src/gen/google/rpc/error_details_pb.ts';
import { errorInfoOf } from '../support/rpc-clients.ts';

const reasons = Object.keys(REASONS) as ErrorReason[];

describe('the vocabulary of rejection', () => {
  test('the proto documents every reason, and no other', () => {
    const [enumeration] = file_ect_v1_error_reason.enums;
    const documented = enumeration?.values.map(({ name }) => name.replace('ERROR_REASON_', ''));
    expect(documented?.slice(1).sort()).toEqual([...reasons].sort());
  });

  test.each(reasons)('%s has a code, a sentence and ErrorInfo', (reason) => {
    const error = new EctError({ reason, message: 'something is wrong', metadata: { claim: 'exp' } });
    const connectError = toConnectError(error);
    expect(connectError.code).toBe(codeOf(reason));
    expect(connectError.rawMessage).toBe(`something is wrong. ${REASONS[reason].remedy}`);
    const status = toStatus(error);
    expect(status.code).toBe(codeOf(reason));
    const [info] = status.details.map((any) => anyUnpack(any, ErrorInfoSchema));
    expect(info).toMatchObject({ reason, domain: 'ect-authority', metadata: { claim: 'exp' } });
    expect(errorInfoOf(toStatusDetails(error))?.reason).toBe(reason);
  });

  test('what may be retried says when, and nothing else does', () => {
    for (const reason of reasons) {
      const { details } = toStatus(new EctError({ reason, message: 'm', metadata: {} }));
      const retry = details.map((any) => anyUnpack(any, RetryInfoSchema)).find((found) => found !== undefined);
      const { retrySeconds } = failureOf(reason);
      const expected = retrySeconds === undefined ? undefined : BigInt(retrySeconds);
      expect(retry?.retryDelay?.seconds, reason).toBe(expected);
    }
  });

  test('what is known of the time to wait is said', () => {
    const facts = { quota: 'q', limit: '1', retry_after_seconds: '90' };
    const { details } = toStatus(new EctError({ reason: 'QUOTA_EXCEEDED', message: 'm', metadata: facts }));
    const retry = details.map((any) => anyUnpack(any, RetryInfoSchema)).find((found) => found !== undefined);
    expect(retry?.retryDelay?.seconds).toBe(90n);
  });

  test('an invalid field is also named as a BadRequest violation', () => {
    const { details } = toStatus(new EctError(reject('REQUEST_INVALID', 'aud is empty', { field: 'aud' })));
    const found = details.map((any) => anyUnpack(any, BadRequestSchema)).find((message) => message !== undefined);
    expect(found?.fieldViolations).toMatchObject([{ field: 'aud', description: 'aud is empty' }]);
  });

  test('a thrown value that is no EctError becomes INTERNAL, and its text stays in the cause', () => {
    const cause = new Error('password is hunter2');
    const error = asEctError(cause);
    expect(error.reason).toBe('INTERNAL');
    expect(error.cause).toBe(cause);
    expect(
      JSON.stringify(toStatus(error), (_key, value) => (typeof value === 'bigint' ? String(value) : value)),
    ).not.toContain('hunter2');
    expect(ConnectError.from(toConnectError(error)).rawMessage).not.toContain('hunter2');
  });

  test('H17: an error that is made once is encoded once, and says what any other would', () => {
    const rejection = reject('SERVICE_OVERLOADED', 'too much');
    const error = madeOnce(rejection);
    expect(toStatusDetails(error)).toBe(toStatusDetails(new EctError(rejection)));
    expect(errorInfoOf(toStatusDetails(OVERLOADED))?.reason).toBe('SERVICE_OVERLOADED');
    const rejectMany = (rejected: EctError) => {
      const begun = performance.now();
      for (let time = 0; time < 2_000; time++) toStatusDetails(rejected);
      return performance.now() - begun;
    };
    rejectMany(new EctError(rejection));
    expect(rejectMany(error)).toBeLessThan(rejectMany(new EctError(rejection)) / 5);
  });

  test('a long message or fact is cut, so that the trailers of a call stay small', () => {
    const error = new EctError(reject('CLAIM_INVALID', 'x'.repeat(100_000), { claim: 'y'.repeat(100_000) }));
    expect(toStatusDetails(error).length).toBeLessThan(4096);
  });
});

test('codes are named as gRPC names them', () => {
  expect([Code.InvalidArgument, Code.Canceled, Code.DataLoss, Code.Internal].map(codeName)).toEqual([
    'INVALID_ARGUMENT',
    'CANCELLED',
    'DATA_LOSS',
    'INTERNAL',
  ]);
});
