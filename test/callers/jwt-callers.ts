// Callers by bearer tokens: issuers that are trusted, and one that is not.

import type { Socket } from 'node:net';
import { expect } from 'vitest';
import { jwtCallers } from '../../src/callers/jwt.ts';
import { EctError } from '../../src/errors.ts';
import { ForeignIssuers, readTrust } from '../../src/trust/index.ts';
import { issuerKey, rsaIssuerKey } from '../support/jwks.ts';
import { NOW } from '../support/tokens.ts';

export const [svid, oidc, stranger] = [issuerKey('one'), rsaIssuerKey('one'), issuerKey('one')];
export const DOMAIN = 'spiffe://example.org';
export const OIDC = 'https://oidc.test';
export const AUDIENCE = 'https://ect.example';
export const entries = [
  {
    iss: DOMAIN,
    jwks: { keys: [{ ...svid.jwk, use: 'sig' }] },
    use: ['callers'],
    callers: { audience: AUDIENCE, max_lifetime_seconds: 3600 },
  },
  {
    iss: OIDC,
    jwks: { keys: [oidc.jwk] },
    use: ['callers'],
    callers: { audience: AUDIENCE, prefix: 'urn:k8s:prod:', max_lifetime_seconds: 3600 },
  },
];

export function open(issuers: readonly object[] = entries) {
  const state = { now: NOW };
  const read = (list: readonly object[]) => {
    const { issuers: found, problems } = readTrust(JSON.stringify({ issuers: list }));
    expect(problems).toEqual([]);
    return found;
  };
  const quiet = () => undefined;
  const foreign = new ForeignIssuers(read(issuers), {
    nowMs: () => 0,
    onTokenKeys: quiet,
    events: {
      foreignKeysTaken: quiet,
      foreignKeysFailed: quiet,
      foreignKeysExpired: quiet,
      foreignIssuerRemoved: quiet,
    },
  });
  let lookedUp = 0;
  const authenticate = jwtCallers({
    issuerOf: (iss, sub) => {
      lookedUp++;
      return foreign.callerIssuer(iss, sub);
    },
    now: () => state.now,
    maxRemembered: 3,
  });
  /** Who makes a request with these `authorization` headers, or the reason and the sentence of the rejection. */
  const callerOf = (...values: readonly string[]) => {
    const presented = {
      socket: {} as Socket,
      httpMethod: 'POST',
      path: '/ect.v1.AuthorityService/Issue',
      header: (name: string) => (name === 'authorization' ? values : ['never asked']),
    };
    try {
      return authenticate(presented);
    } catch (error) {
      expect(error).toBeInstanceOf(EctError);
      const { reason, message } = error as EctError;
      return `${reason} ${message}`;
    }
  };
  const bearer = (token: string) => callerOf(`Bearer ${token}`);
  return { state, foreign, callerOf, bearer, read, lookedUp: () => lookedUp };
}

export const svidClaims = { sub: `${DOMAIN}/w`, aud: [AUDIENCE], exp: NOW + 300 };
export const oidcClaims = {
  iss: OIDC,
  sub: 'system:serviceaccount:agents:a',
  aud: AUDIENCE,
  iat: NOW - 10,
  exp: NOW + 300,
};
