// A9: callers by an identity token and a proof of its key: what is trusted, and everything that is not.

import { hash } from 'node:crypto';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type Caller, claimProof, proofOf, type ReplayGuard } from '../../src/authority/index.ts';
import { authenticateBy } from '../../src/callers/authenticate.ts';
import { unprovenCallers } from '../../src/callers/identify.ts';
import { jwtCallers } from '../../src/callers/jwt.ts';
import { isProof, wimseCallers } from '../../src/callers/wimse.ts';
import { EctError, reject } from '../../src/errors.ts';
import { ForeignIssuers, readTrust } from '../../src/trust/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { issuerKey, rsaIssuerKey } from '../support/jwks.ts';
import { encode, NOW } from '../support/tokens.ts';

const [identityServer, holder, thief] = [issuerKey('one'), issuerKey('w', { alg: 'ES256' }), issuerKey('w')];
const DOMAIN = 'spiffe://example.org';
const ID = `${DOMAIN}/w`;
const URL_OF_SERVICE = 'https://ect.example';
const PATH = '/ect.v1.AuthorityService/Issue';
const TARGET = `${URL_OF_SERVICE}${PATH}`;

type Headers = Readonly<Record<string, readonly string[]>>;

/** One process. */
async function open() {
  return (await openTwo()).callerOf;
}

/** Two processes with one replay guard, which fails while there is a fault. */
async function openTwo() {
  const { context } = await makeAuthority();
  const entry = {
    iss: DOMAIN,
    jwks: { keys: [{ ...identityServer.jwk, use: 'sig' }] },
    use: ['callers'],
    callers: { audience: 'urn:unused', max_lifetime_seconds: 3600 },
  };
  const { issuers, problems } = readTrust(JSON.stringify({ issuers: [entry] }));
  expect(problems).toEqual([]);
  const quiet = () => undefined;
  const events = { foreignKeysTaken: quiet, foreignKeysFailed: quiet, foreignKeysExpired: quiet };
  const foreign = new ForeignIssuers(issuers, {
    nowMs: () => 0,
    onTokenKeys: quiet,
    events: { ...events, foreignIssuerRemoved: quiet },
  });
  const ports = {
    issuerOf: (iss: unknown, sub: unknown) => foreign.callerIssuer(iss, sub),
    now: () => NOW,
  };
  const guard: { fault?: EctError } = {};
  const replay: ReplayGuard = {
    claim: (...use) => (guard.fault === undefined ? context.replay!.claim(...use) : Promise.reject(guard.fault)),
    look: (...use) => context.replay!.look(...use),
    close: async () => undefined,
  };
  const processOf = () => {
    const wimse = wimseCallers({
      ...ports,
      publicUrl: URL_OF_SERVICE,
      useOnce: (caller, use) => claimProof(context, replay, caller, use),
    });
    const authenticate = authenticateBy([jwtCallers(ports, isProof), wimse], unprovenCallers());
    return (headers: Headers, path = PATH) =>
      authenticate({
        socket: {} as Socket,
        httpMethod: 'POST',
        path,
        header: (name) => headers[name] ?? [],
      });
  };
  return { callerOf: processOf(), elsewhere: processOf(), guard };
}

const hashOf = (token: string) => hash('sha256', token, 'base64url');

function identity(claims: object = {}, header: object = {}, signer = identityServer): string {
  const all = { sub: ID, exp: NOW + 3000, cnf: { jwk: holder.jwk }, ...claims };
  return signer.jws(all, { typ: 'wit+jwt', ...header });
}

function proof(of: string, claims: object = {}, header: object = {}, signer = holder): string {
  const all = { aud: TARGET, exp: NOW + 60, jti: crypto.randomUUID(), wth: hashOf(of), ...claims };
  return signer.jws(all, { typ: 'wpt+jwt', ...header });
}

const asHeaders = (wit: string, wpt: string): Headers => ({
  'workload-identity-token': [wit],
  'workload-proof-token': [wpt],
});

async function rejectionOf(headers: Headers, path?: string): Promise<string> {
  const callerOf = await open();
  try {
    callerOf(headers, path);
    return 'no rejection';
  } catch (error) {
    expect(error).toBeInstanceOf(EctError);
    const { reason, message } = error as EctError;
    return `${reason} ${message}`;
  }
}

function demandUnused(caller: Caller): Promise<void> {
  return proofOf(caller)!.demandUnused!();
}

describe('A9 a caller is who its identity token says', () => {
  test('A9 with a proof by its key, as the drafts of one year send it', async () => {
    const callerOf = await open();
    const wit = identity();
    const expected = { kind: 'spiffe', id: ID, proof: { method: 'wimse', strength: 'possession', by: DOMAIN } };
    expect(callerOf(asHeaders(wit, proof(wit)))).toMatchObject(expected);
    for (const scheme of ['WPT', 'wpt  ']) {
      const headers = { 'workload-identity-token': [wit], authorization: [`${scheme} ${proof(wit)}`] };
      expect(callerOf(headers)).toMatchObject(expected);
    }
  });

  test('A9 a proof is used once, at whichever process', async () => {
    const { callerOf, elsewhere } = await openTwo();
    const wit = identity();
    const headers = asHeaders(wit, proof(wit));
    await demandUnused(callerOf(headers));
    await expect(demandUnused(elsewhere(headers))).rejects.toMatchObject({ reason: 'CALLER_UNTRUSTED' });
    await demandUnused(callerOf(asHeaders(wit, proof(wit))));
  });

  test('A9 who repeats a proof is not the caller that it names, and is rejected before that caller pays for it', async () => {
    const { callerOf, elsewhere } = await openTwo();
    const wit = identity();
    const headers = asHeaders(wit, proof(wit));
    const [caller, atOnce] = [callerOf(headers), callerOf(headers)];
    await demandUnused(caller);
    expect(() => callerOf(headers)).toThrow(/it was used before/);
    await expect(demandUnused(atOnce)).rejects.toMatchObject({ reason: 'CALLER_UNTRUSTED' });
    // The signature is no part of what is used: ECDSA has a second one for everybody.
    const [header, payload] = (headers['workload-proof-token']?.[0] ?? '').split('.');
    expect(() => callerOf(asHeaders(wit, `${header}.${payload}.${'A'.repeat(86)}`))).toThrow(/it was used before/);
    await expect(demandUnused(elsewhere(headers))).rejects.toMatchObject({ reason: 'CALLER_UNTRUSTED' });
    expect(() => elsewhere(headers)).toThrow(/it was used before/);
  });

  test('A9 a proof whose use could not be remembered may be sent again', async () => {
    const { callerOf, guard } = await openTwo();
    const wit = identity();
    const headers = asHeaders(wit, proof(wit));
    guard.fault = new EctError(reject('REPLAY_GUARD_UNAVAILABLE', 'It is away.'));
    await expect(demandUnused(callerOf(headers))).rejects.toMatchObject({
      reason: 'REPLAY_GUARD_UNAVAILABLE',
      remedy: expect.stringContaining('a new proof') as string,
    });
    delete guard.fault;
    await demandUnused(callerOf(headers));
  });

  test('A9 the same jti of another workload is another proof, and of the same one with other claims it is none', async () => {
    const callerOf = await open();
    const [mine, others] = [identity(), identity({ sub: `${DOMAIN}/v` })];
    const jti = crypto.randomUUID();
    await demandUnused(callerOf(asHeaders(mine, proof(mine, { jti }))));
    await demandUnused(callerOf(asHeaders(others, proof(others, { jti }))));
    const again = callerOf(asHeaders(mine, proof(mine, { jti, exp: NOW + 61 })));
    await expect(demandUnused(again)).rejects.toMatchObject({ reason: 'CALLER_UNTRUSTED' });
  });

  test('A9 no caller without either', async () => {
    expect(await rejectionOf({})).toMatch(/^CALLER_UNTRUSTED .*no credential/);
  });
});

describe('A9 no caller by', () => {
  const wit = identity();

  test.each<[string, Headers, RegExp]>([
    ['an identity token alone', { 'workload-identity-token': [wit] }, /proof token is rejected: it is missing/],
    ['a proof alone', { 'workload-proof-token': [proof(wit)] }, /identity token is rejected: it is missing/],
    [
      'two identity tokens',
      { ...asHeaders(wit, proof(wit)), 'workload-identity-token': [wit, wit] },
      /there is more than one/,
    ],
    ['two proofs', { ...asHeaders(wit, proof(wit)), authorization: [`WPT ${proof(wit)}`] }, /there is more than one/],
    [
      'an authorization of another scheme beside a proof',
      { 'workload-identity-token': [wit], authorization: [`WPT ${proof(wit)}`, 'Basic a'] },
      /there is more than one/,
    ],
    ['two in one header', asHeaders(wit, `${proof(wit)}, ${proof(wit)}`), /it is no JWT/],
    ['an identity token as a bearer token', { authorization: [`Bearer ${wit}`] }, /its typ/],
    ['a long identity token', asHeaders(identity({ x: 'x'.repeat(4096) }), 'a.b.c'), /longer than 4096/],
    ['a long proof', asHeaders(wit, proof(wit, { x: 'x'.repeat(4096) })), /longer than 4096/],
  ])('A9 %s', async (_, headers, why) => {
    expect(await rejectionOf(headers)).toMatch(why);
  });

  test('A9 a proof beside a bearer token of another kind', async () => {
    const bearer = identityServer.jws({ sub: ID, aud: 'urn:unused', exp: NOW + 60 });
    const headers = { ...asHeaders(wit, proof(wit)), authorization: [`Bearer ${bearer}`] };
    expect(await rejectionOf(headers)).toMatch(/^CALLER_ID_INVALID .*two kinds/);
  });

  test.each<[string, string, RegExp]>([
    ['of another typ', identity({}, { typ: 'JWT' }), /its typ/],
    ['that says no typ', identity({}, { typ: undefined }), /its typ/],
    ['by another key', identity({}, {}, issuerKey('one')), /signature does not verify/],
    ['that has expired', identity({ exp: NOW }), /has expired/],
    ['without exp', identity({ exp: undefined }), /no exp/],
    ['that lives too long', identity({ exp: NOW + 3601 }), /lives for more/],
    ['of another trust domain', identity({ sub: 'spiffe://other.org/w' }), /not trusted for callers/],
    ['that names no workload', identity({ sub: DOMAIN }), /not trusted for callers/],
    ['whose path has a dot segment', identity({ sub: `${DOMAIN}/../w` }), /^CALLER_ID_INVALID/],
    ['that brings its own key', identity({}, { jwk: holder.jwk }), /must not have jwk/],
    ['without a key', identity({ cnf: undefined }), /no cnf/],
    ['with a list for a key', identity({ cnf: { jwk: [] } }), /no cnf/],
    ['whose key has no alg', identity({ cnf: { jwk: { ...holder.jwk, alg: undefined } } }), /has no alg/],
    ['whose key is none', identity({ cnf: { jwk: { ...holder.jwk, alg: 'none' } } }), /cannot be used/],
    ['whose key is symmetric', identity({ cnf: { jwk: { kty: 'oct', k: 'AAAA', alg: 'HS256' } } }), /cannot be used/],
    ['whose key is private', identity({ cnf: { jwk: { ...holder.jwk, d: 'AAAA' } } }), /cannot be used/],
    ['whose key is for another alg', identity({ cnf: { jwk: { ...holder.jwk, alg: 'EdDSA' } } }), /cannot be used/],
    ['whose key is for encryption', identity({ cnf: { jwk: { ...holder.jwk, use: 'enc' } } }), /cannot be used/],
  ])('A9 an identity token %s', async (_, token, why) => {
    expect(await rejectionOf(asHeaders(token, proof(token)))).toMatch(why);
  });

  test.each<[string, string, RegExp]>([
    ['by a thief of the identity token', proof(wit, {}, {}, thief), /signature does not verify/],
    ['for another identity token', proof(identity({ exp: NOW + 2999 })), /its wth/],
    ['without wth', proof(wit, { wth: undefined }), /its wth/],
    ['for another service', proof(wit, { aud: `https://other.example${PATH}` }), /its aud/],
    ['for another method', proof(wit, { aud: `${URL_OF_SERVICE}/ect.v1.AuthorityService/Verify` }), /its aud/],
    ['for the service as a whole', proof(wit, { aud: URL_OF_SERVICE }), /its aud/],
    ['for several', proof(wit, { aud: [TARGET] }), /its aud/],
    ['of another typ', proof(wit, {}, { typ: 'wit+jwt' }), /its typ/],
    ['of another alg', rsaIssuerKey('w').jws({ aud: TARGET }, { typ: 'wpt+jwt' }), /its alg/],
    ['without a signature', `${encode({ alg: 'none', typ: 'wpt+jwt' })}.${encode({ aud: TARGET })}.`, /proof token is/],
    ['that brings a key', proof(wit, {}, { jwk: thief.jwk }), /must not have jwk/],
    ['that has expired', proof(wit, { exp: NOW }), /has expired/],
    ['that ends late', proof(wit, { exp: NOW + 301 }), /more than 300 s/],
    ['without exp', proof(wit, { exp: undefined }), /no exp/],
    ['whose exp is a text', proof(wit, { exp: '9' }), /no exp/],
    ['without jti', proof(wit, { jti: undefined }), /its jti/],
    ['whose jti can be guessed', proof(wit, { jti: '1' }), /its jti/],
    ['whose jti is long', proof(wit, { jti: 'x'.repeat(257) }), /its jti/],
    ['that speaks of a transaction token that is not there', proof(wit, { tth: hashOf('x') }), /its tth/],
    ['that speaks of other tokens', proof(wit, { oth: {} }), /its oth/],
  ])('A9 a proof %s', async (_, token, why) => {
    expect(await rejectionOf(asHeaders(wit, token))).toMatch(why);
  });

  test('A9 a proof at another path than it was made for', async () => {
    expect(await rejectionOf(asHeaders(wit, proof(wit)), '/ect.v1.AdminService/RotateKey')).toMatch(/its aud/);
  });

  test('A9 a proof that leaves out the transaction token beside it', async () => {
    const transaction = { 'txn-token': ['a.b.c'] };
    expect(await rejectionOf({ ...asHeaders(wit, proof(wit)), ...transaction })).toMatch(/its tth/);
    const bound = asHeaders(wit, proof(wit, { tth: hashOf('a.b.c') }));
    expect(await rejectionOf({ ...bound, ...transaction })).toBe('no rejection');
    expect(await rejectionOf({ ...bound, 'txn-token': ['a.b.c', 'a.b.c'] })).toMatch(/its tth/);
  });
});
