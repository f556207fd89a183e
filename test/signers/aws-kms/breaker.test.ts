import { expect, test } from 'vitest';
import { EctError, type ErrorReason } from '../../../src/errors.ts';
import { Breaker } from '../../../src/signers/aws-kms/breaker.ts';

const failure = (reason: ErrorReason) => new EctError({ reason, message: 'failed', metadata: {} });
const unavailable = failure('SIGNER_UNAVAILABLE');

test('D3: it opens after so many failures in a row, and a success between them starts the count anew', () => {
  const breaker = new Breaker(3, 0);
  for (let round = 0; round < 5; round++) {
    breaker.failed(unavailable);
    breaker.failed(unavailable);
    expect(breaker.failure).toBeUndefined();
    breaker.succeeded(round);
  }
  for (let at = 0; at < 3; at++) breaker.failed(unavailable);
  expect(breaker.failure).toBe(unavailable);
});

test('D2: an error that only an operator can correct opens it at once', () => {
  const breaker = new Breaker(3, 0);
  const misconfigured = failure('SIGNER_MISCONFIGURED');
  breaker.failed(misconfigured);
  expect(breaker.failure).toBe(misconfigured);
});

test('D5: while it is open it tells the latest failure, and one success closes it', () => {
  const breaker = new Breaker(3, 0);
  breaker.open(failure('SIGNER_MISCONFIGURED'));
  breaker.failed(unavailable);
  expect(breaker.failure).toBe(unavailable);
  breaker.succeeded(7);
  expect([breaker.failure, breaker.lastSuccessMs]).toEqual([undefined, 7]);
  breaker.failed(unavailable);
  expect(breaker.failure).toBeUndefined();
});
