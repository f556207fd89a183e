import { describe, expect, test } from 'vitest';
import { readConnectTimeout, readGrpcTimeout } from '../../src/calls/deadline.ts';
import { EctError } from '../../src/errors.ts';

describe('the deadline that a caller asks for', () => {
  test.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3000],
    ['99999999m', 99_999_999],
    ['500u', 0.5],
    ['1n', 1e-6],
    ['0m', 0],
  ])('grpc-timeout %s is %d ms', (value, milliseconds) => {
    expect(readGrpcTimeout(value)).toBeCloseTo(milliseconds, 9);
  });

  test.each(['', '5', 'm', '-1S', '1.5S', '123456789m', '1s', ' 1S', '1S ', '1S,2S', '0x1S'])(
    'H12: grpc-timeout "%s" is rejected as malformed',
    (value) => {
      expect(() => readGrpcTimeout(value)).toThrow(EctError);
      expect(() => readGrpcTimeout(value)).toThrow(expect.objectContaining({ reason: 'REQUEST_MALFORMED' }));
    },
  );

  test('connect-timeout-ms counts milliseconds in at most ten digits', () => {
    expect(readConnectTimeout('9999999999')).toBe(9_999_999_999);
    for (const value of ['', '-1', '1.0', '10000000000', '1m', '５０', Buffer.from('５０').toString('latin1')]) {
      expect(() => readConnectTimeout(value)).toThrow(expect.objectContaining({ reason: 'REQUEST_MALFORMED' }));
    }
  });

  test('no header is no deadline', () => {
    expect(readGrpcTimeout(undefined)).toBeUndefined();
    expect(readConnectTimeout(undefined)).toBeUndefined();
  });
});
