// Tokens and states of keys, as the tests of the key manager ask for them.

import { expect } from 'vitest';
import type { KeyManager } from '../../src/key-manager/index.ts';
import { verifyToken } from '../../src/token/index.ts';
import { ISSUER } from '../support/authority.ts';
import { LIFETIME, type Shared, type TestKeyManager } from '../support/key-manager.ts';
import { AUD, header, JTI, payload, policy } from '../support/tokens.ts';

export const order = { nextKey: '', urgent: false, by: 'spiffe://example.com/admin', note: 'test' };
export const noKey = expect.objectContaining({ reason: 'SIGNER_UNAVAILABLE' });

export const kidOf = (keyManager: KeyManager) => keyManager.for(ISSUER, 'a').jwk.kid;
export const states = (keyManager: KeyManager) => keyManager.all.map(({ state }) => state);
export const publishedKids = (keyManager: KeyManager) =>
  JSON.parse(keyManager.keySet).keys.map(({ kid }: { kid: string }) => kid);

/** A token by whatever signs now. */
export async function mint({ keyManager }: TestKeyManager, { clock }: Shared): Promise<string> {
  const signer = keyManager.for(ISSUER, 'a');
  const claims = { ...payload, iss: ISSUER, iat: clock.now(), exp: clock.now() + LIFETIME, jti: JTI };
  const input = [{ ...header, kid: signer.jwk.kid }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature = await signer.sign(Buffer.from(input), { signal: new AbortController().signal });
  return `${input}.${Buffer.from(signature).toString('base64url')}`;
}

/** Why a process rejects a token; undefined where it accepts it. */
export function rejectionOf(
  { ring }: TestKeyManager,
  { clock }: Shared,
  token: string,
  asOf?: number,
): string | undefined {
  const question = { now: clock.now(), audience: AUD, purpose: 'presented', asOf } as const;
  const verdict = verifyToken(token, question, { ...policy, maxAgeSeconds: LIFETIME }, ring);
  return verdict.ok ? undefined : verdict.rejection.reason;
}
