import { Socket } from 'node:net';
import { expect, test, vi } from 'vitest';
import type { Caller } from '../../src/authority/index.ts';
import { type Authenticator, authenticateBy, type Presented } from '../../src/callers/authenticate.ts';
import { EctError, reject } from '../../src/errors.ts';
import { workload } from '../support/callers.ts';

const PEER = workload('spiffe://example.com/peer');
const CALLER = workload('spiffe://example.com/caller');
const request: Presented = { socket: new Socket(), header: () => [], httpMethod: 'POST', path: '/a' };

const reasonOf = (work: () => Caller): string => {
  try {
    return work().kind;
  } catch (error) {
    return (error as EctError).reason;
  }
};

test('without a credential in the request its connection says who makes it', () => {
  expect(authenticateBy([() => undefined], () => PEER)(request)).toBe(PEER);
  expect(authenticateBy([], () => PEER)(request)).toBe(PEER);
});

test('with one its connection is not asked: it is only the peer that carries the request', () => {
  const identify = vi.fn<() => Caller>(() => PEER);
  expect(authenticateBy([() => undefined, () => CALLER], identify)(request)).toBe(CALLER);
  expect(identify).not.toHaveBeenCalled();
});

test('A4: two credentials are rejected, in whatever order, also where both name the same caller', () => {
  const [one, other]: readonly Authenticator[] = [() => CALLER, () => CALLER];
  expect(reasonOf(() => authenticateBy([one!, () => undefined, other!], () => PEER)(request))).toBe(
    'CALLER_ID_INVALID',
  );
});

test('A1: a credential that does not hold is rejected, though the connection proves somebody', () => {
  const broken: Authenticator = () => {
    throw new EctError(reject('CALLER_UNTRUSTED', 'the token has expired'));
  };
  expect(reasonOf(() => authenticateBy([broken], () => PEER)(request))).toBe('CALLER_UNTRUSTED');
});
