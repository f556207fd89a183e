// Tokens of issuers whose keys are fetched: what a verifier hears while a key is new, and while there are none.

import { afterEach, describe, expect, test } from 'vitest';
import type { AuthorityContext } from '../../src/authority/index.ts';
import { TrustedKeys } from '../../src/startup/trusted-keys.ts';
import { ForeignIssuers, readTrust } from '../../src/trust/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { type CannedServer, json, startCannedServer } from '../support/canned-server.ts';
import { type IssuerKey, issuerKey } from '../support/jwks.ts';
import { AUD, header, payload } from '../support/tokens.ts';
import { appendTo, reasonIn, reasonOf, verifyFor } from './support.ts';

const open: { stop(): void }[] = [];
const servers: CannedServer[] = [];
afterEach(async () => {
  for (const issuers of open.splice(0)) issuers.stop();
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});

const [old, fresh] = [issuerKey('old'), issuerKey('fresh')];
const setOf = (...keys: readonly IssuerKey[]) => json({ keys: keys.map(({ jwk }) => jwk) });
const tokenOf = (key: IssuerKey, iss = 'urn:foreign', claims: object = {}) =>
  key.jws({ ...payload, iss, ...claims }, { typ: header.typ });

/** An authority that trusts `urn:foreign` by a server, and `urn:other` by a key in its file that is called `old` too. */
async function openTrust(answer: CannedServer['answer']) {
  const server = await startCannedServer(answer);
  servers.push(server);
  const state = { nowMs: 0 };
  const { issuers } = readTrust(
    JSON.stringify({
      issuers: [
        { iss: 'urn:foreign', jwks_uri: server.url, fetch: { network: 'loopback', cooldown_seconds: 30 } },
        { iss: 'urn:other', jwks: { keys: [issuerKey('fresh').jwk] } },
      ],
    }),
  );
  const quiet = () => undefined;
  let foreign: ForeignIssuers | undefined;
  const ring = new TrustedKeys(undefined, (iss) => foreign?.missed(iss));
  const opened = new ForeignIssuers(issuers, {
    nowMs: () => state.nowMs,
    onTokenKeys: (keys) => ring.replaceForeign(keys),
    events: {
      foreignKeysTaken: quiet,
      foreignKeysFailed: quiet,
      foreignKeysExpired: quiet,
      foreignIssuerRemoved: quiet,
    },
  });
  foreign = opened;
  open.push(opened);
  opened.look();
  await opened.settled();
  const { context } = await makeAuthority();
  const trusting: AuthorityContext = { ...context, keys: ring.keys };
  const verdict = async (token: string, mode: 'enforce' | 'report' = 'enforce') =>
    reasonIn(await verifyFor(trusting, token, { audience: AUD, replay: 'skip', mode }));
  return { server, state, foreign: opened, context: trusting, verdict };
}

describe('K5: a key that is new', () => {
  test.each(['enforce', 'report'] as const)(
    'is unknown once, and known to calls after the fetch that this caused (%s)',
    async (mode) => {
      const { server, state, foreign, verdict } = await openTrust(setOf(old));
      expect(await verdict(tokenOf(old), mode)).toBe('VALID');
      server.answer = setOf(old, fresh);
      state.nowMs += 30_000;
      // Another issuer has a key of this name: it does not hide that this one's is not held.
      expect(['SIGNATURE_INVALID', 'KEY_UNKNOWN']).toContain(await verdict(tokenOf(fresh), mode));
      await foreign.settled();
      expect(await verdict(tokenOf(fresh), mode)).toBe('VALID');
      expect(await verdict(tokenOf(old), mode)).toBe('VALID');
      expect(server.requests).toHaveLength(2);
    },
  );

  test('is not looked for by tokens that are rejected for something else', async () => {
    const { server, state, foreign, verdict } = await openTrust(setOf(old));
    state.nowMs += 30_000;
    expect(await verdict(tokenOf(old, 'urn:foreign', { exp: payload.iat - 1 }))).not.toBe('VALID');
    expect(await verdict(tokenOf(fresh, 'urn:nobody'))).toMatch(/^(?:ISSUER_MISMATCH|SIGNATURE_INVALID)$/);
    await foreign.settled();
    expect(server.requests).toHaveLength(1);
  });
});

describe('K7: an issuer without keys', () => {
  test('makes the call fail with a time to come back, and no token is called good or bad', async () => {
    const { context, server, state, foreign, verdict } = await openTrust((response) => void response.destroy());
    expect(await reasonOf(verifyFor(context, tokenOf(old), { audience: AUD }))).toBe('ISSUER_KEYS_UNAVAILABLE');
    expect(await reasonOf(appendTo(context, tokenOf(old)))).toBe('ISSUER_KEYS_UNAVAILABLE');
    const failure = await verifyFor(context, tokenOf(old), { audience: AUD }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ metadata: { retry_after_seconds: '30' } });
    server.answer = setOf(old);
    state.nowMs += 30_000;
    expect(await reasonOf(verifyFor(context, tokenOf(old), { audience: AUD }))).toBe('ISSUER_KEYS_UNAVAILABLE');
    await foreign.settled();
    expect(await verdict(tokenOf(old))).toBe('VALID');
  });

  test('does not take the others along', async () => {
    const { verdict } = await openTrust((response) => void response.destroy());
    expect(await verdict(tokenOf(old, 'urn:nobody'))).toBe('KEY_UNKNOWN');
    expect(await verdict(tokenOf(fresh, 'urn:other'))).toBe('SIGNATURE_INVALID');
  });
});
