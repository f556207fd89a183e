// Issue waits for its signature, for the store of request ids and for the ledger. A token that expires meanwhile is not returned.

import { expect, test } from 'vitest';
import type { AuthorityContext } from '../../src/authority/index.ts';
import type { EctError } from '../../src/errors.ts';
import { makeAuthority, type TestAuthority } from '../support/authority.ts';
import { issueFor } from './support.ts';

const TTL = 10;
const REQUEST = { ttlSeconds: TTL };

/** A port during each of whose calls so many seconds pass. */
function slow<T extends object>(port: T, { clock }: TestAuthority, seconds: number, ...methods: readonly string[]): T {
  return new Proxy(port, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]): Promise<unknown> => {
        if (methods.includes(String(name))) clock.advance(seconds);
        return Reflect.apply(member, target, args);
      };
    },
  });
}

/** What a call is rejected with. */
function rejectionFrom(call: Promise<unknown>): Promise<EctError> {
  return call.then(
    () => expect.unreachable('it was not rejected'),
    (error: EctError) => error,
  );
}

type Slow = (authority: TestAuthority, seconds: number) => Partial<AuthorityContext>;

const slowSignature: Slow = (authority, seconds) => ({
  signers: { for: () => slow(authority.signer, authority, seconds, 'sign') },
});
const slowStore: Slow = (authority, seconds) => ({
  idempotency: slow(authority.context.idempotency, authority, seconds, 'remember'),
});
const slowLedger: Slow = (authority, seconds) => ({
  ledger: slow(authority.context.ledger, authority, seconds, 'append'),
});
const slowPending: Slow = (authority, seconds) => ({
  recordings: slow(authority.context.recordings, authority, seconds, 'add'),
});

test.each([
  ['its signature', {}, slowSignature, undefined],
  ['the store of request ids', { requestId: 'a' }, slowStore, undefined],
  ['its signature, before it is recorded', { level: 'L3' }, slowSignature, undefined],
  ['the ledger', { level: 'L3' }, slowLedger, 'is recorded'],
  ['its pending recording', { level: 'L3', record: 'async' }, slowPending, 'will be recorded'],
] as const)('a token that expires while Issue waits for %s is not returned', async (_, changes, slowly, recorded) => {
  const authority = await makeAuthority();
  const { context } = authority;
  const request = { ...REQUEST, ...changes };
  const late = rejectionFrom(issueFor({ ...context, ...slowly(authority, TTL) }, request));
  const { reason, message, metadata } = await late;
  expect(reason).toBe('TOKEN_EXPIRED');
  // What was recorded is named, since a repeated request makes another task.
  if (recorded === undefined) expect(metadata).toEqual({});
  else expect(message).toContain(`its task ${metadata['jti']} ${recorded}`);
  if (recorded !== 'will be recorded') expect(context.ledger.size).toBe(recorded === undefined ? 0 : 1);

  const justInTime = { ...context, ...slowly(authority, TTL - 1) };
  const { claims } = await issueFor(justInTime, request);
  expect(claims.exp).toBe(context.now() + 1);
});

test('a request that is repeated after its token has expired on the way gets a new token', async () => {
  const authority = await makeAuthority();
  const { context } = authority;
  const request = { ...REQUEST, requestId: 'a' };
  await rejectionFrom(issueFor({ ...context, ...slowStore(authority, TTL) }, request));
  const { claims } = await issueFor(context, request);
  expect(claims.exp).toBe(context.now() + TTL);
});
