// The real process with an issuer elsewhere: its keys are fetched, its tokens verified, and its JWTs prove callers.

import { hash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { IssueRequestSchema } from '../../src/gen/ect/v1/authority_pb.ts';
import { type CannedServer, json, startCannedServer } from '../support/canned-server.ts';
import { type IssuerKey, issuerKey, rsaIssuerKey } from '../support/jwks.ts';
import { runMain, type ServiceProcess, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';
import { JTI } from '../support/tokens.ts';

const folder = mkdtempSync(join(tmpdir(), 'ect-foreign-'));
const servers: CannedServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const AUDIENCE = 'urn:example:ect';
const now = () => Math.floor(Date.now() / 1000);
const keep = (name: string, content: unknown) => {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};

/** An issuer of OpenID Connect on loopback. */
async function startIssuer(...keys: readonly IssuerKey[]) {
  const server = await startCannedServer((response, request) => {
    const discovery = { issuer: server.url, jwks_uri: `${server.url}/jwks` };
    json(request.url === '/jwks' ? { keys: keys.map(({ jwk }) => jwk) } : discovery)(response, request);
  });
  servers.push(server);
  return server;
}

const entryFor = ({ url }: CannedServer, more: object) => ({
  iss: url,
  discovery: `${url}/.well-known/openid-configuration`,
  fetch: { network: 'loopback', cooldown_seconds: 1 },
  ...more,
});

async function call(service: ServiceProcess, method: string, request: object, authorization?: string) {
  const answer = await fetch(`${service.url}/ect.v1.AuthorityService/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) },
    body: JSON.stringify(request),
  });
  const body = (await answer.json()) as Readonly<Record<string, unknown>> & {
    details?: { debug?: { reason?: string } }[];
  };
  return { status: answer.status, body, reason: body.details?.find(({ debug }) => debug?.reason)?.debug?.reason };
}

test('K5: tokens of an issuer are verified under the keys that its discovery document leads to', async () => {
  const key = issuerKey('one');
  const issuer = await startIssuer(key);
  const trust = keep('tokens.json', { issuers: [entryFor(issuer, {})] });
  await using service = await startService({ ECT_STORE: 'memory', ECT_TRUST_FILE: trust });
  await vi.waitFor(
    () => expect(service.events('foreign-keys-taken')).toMatchObject([{ issuer: issuer.url, keys: 1 }]),
    SOON,
  );
  const claims = { iss: issuer.url, aud: [AUDIENCE], iat: now(), exp: now() + 300, jti: JTI, exec_act: 'a', pred: [] };
  const request = { audience: AUDIENCE, replay_mode: 'REPLAY_MODE_SKIP' };
  const verify = async (token: string) => (await call(service, 'Verify', { ...request, token })).body;
  expect(await verify(key.jws(claims, { typ: 'exec+jwt' }))).toMatchObject({ valid: true });
  expect(await verify(issuerKey('one').jws(claims, { typ: 'exec+jwt' }))).toMatchObject({
    finding: { reason: 'ERROR_REASON_SIGNATURE_INVALID' },
  });
  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  expect(metrics).toContain(`ect_foreign_keys{issuer="${issuer.url}"} 1`);
  expect(metrics).toMatch(new RegExp(`ect_foreign_key_fetches_total\\{issuer="${issuer.url}",outcome="taken"\\} [12]`));
});

test('A5, S1: bearer tokens prove callers, who issue in their own names, and no token is ever in the log', async () => {
  const [oidc, svid] = [rsaIssuerKey('rsa'), issuerKey('svid')];
  const issuer = await startIssuer(oidc);
  const bundle = keep('bundle.json', { keys: [{ ...svid.jwk, use: 'jwt-svid' }] });
  const use = ['callers'];
  const trust = keep('callers.json', {
    issuers: [
      entryFor(issuer, { use, callers: { audience: AUDIENCE, prefix: 'urn:k8s:prod:' } }),
      { iss: 'spiffe://example.org', jwks_file: bundle, use, callers: { audience: AUDIENCE } },
    ],
  });
  const settings = { ECT_TRUST_FILE: trust, ECT_CALLER_JWTS: 'yes', ECT_LOG_LEVEL: 'debug' };
  await using service = await startService({ ECT_STORE: 'memory', ...settings });
  await vi.waitFor(() => expect(service.events('foreign-keys-taken')).toHaveLength(2), SOON);
  // As long as a JWT may be, or nearly so: every transport takes it.
  const term = { aud: AUDIENCE, iat: now(), exp: now() + 300, pad: 'x'.repeat(5500) };
  const account = oidc.jws({ iss: issuer.url, sub: 'system:serviceaccount:agents:a', ...term });
  const workload = svid.jws({ sub: 'spiffe://example.org/w', ...term });
  const issue = (authorization?: string, iss?: string) =>
    call(service, 'Issue', { execAct: 'a', aud: [AUDIENCE], ...(iss === undefined ? {} : { iss }) }, authorization);

  const id = 'urn:k8s:prod:system:serviceaccount:agents:a';
  const issued = await issue(`Bearer ${account}`);
  expect(issued.body).toMatchObject({ claims: { iss: id } });
  expect((await issue(`Bearer ${workload}`)).body).toMatchObject({ claims: { iss: 'spiffe://example.org/w' } });
  expect((await issue(`Bearer ${workload}`, id)).reason).toBe('ISSUER_NOT_ALLOWED');
  expect(await issue()).toMatchObject({ status: 401, reason: 'CALLER_UNTRUSTED' });
  expect((await issue(`Bearer ${issuerKey('svid').jws({ sub: 'spiffe://example.org/w', ...term })}`)).reason).toBe(
    'CALLER_UNTRUSTED',
  );
  // The service verifies what it issued in the name of a caller.
  const { token } = issued.body as { token: string };
  const verified = await call(service, 'Verify', { token, audience: AUDIENCE }, `Bearer ${workload}`);
  expect(verified.body).toMatchObject({ valid: true });

  // The command line sends what is in the file at each call.
  const tokenFile = keep('token', `${account}\n`);
  const argv = ['issue', '--exec-act', 'a', '--aud', AUDIENCE, '--url', service.url];
  expect(await runMain([...argv, '--token-file', tokenFile])).toMatchObject({
    code: 0,
    stderr: expect.stringContaining(id),
  });
  expect(await runMain(argv)).toMatchObject({ code: 1, stderr: expect.stringContaining('CALLER_UNTRUSTED') });

  expect(
    service
      .events('call')
      .filter((event) => event['proof'] === 'jwt')
      .map((event) => event['by']),
  ).toEqual(expect.arrayContaining([issuer.url, 'spiffe://example.org']));
  expect(await service.stop()).toBe(0);
  for (const secret of [account, workload, account.split('.')[1]!, workload.split('.')[2]!]) {
    expect(service.stderr() + service.stdout()).not.toContain(secret);
  }
});

test('A10: names of callers stand in tokens that were issued to them only as long as the trust file has them', async () => {
  const [oidc, svid] = [issuerKey('oidc'), issuerKey('svid')];
  const domain = {
    iss: 'spiffe://example.org',
    jwks: { keys: [{ ...svid.jwk, use: 'sig' }] },
    use: ['callers'],
    callers: { audience: AUDIENCE },
  };
  const iss = 'https://old.example';
  const names = { prefix: 'urn:people:' };
  const trust = (...issuers: readonly object[]) => keep('past.json', { issuers: [domain, ...issuers] });
  const issuer = { iss, jwks: { keys: [oidc.jwk] }, use: ['callers'], callers: { ...names, audience: AUDIENCE } };
  const settings = { ECT_TRUST_FILE: trust(issuer), ECT_CALLER_JWTS: 'yes', ECT_STORE: 'memory' };
  await using service = await startService(settings);
  const bearer = `Bearer ${oidc.jws({ iss, sub: 'ada', aud: AUDIENCE, exp: now() + 300 })}`;
  const workload = `Bearer ${svid.jws({ sub: 'spiffe://example.org/w', aud: AUDIENCE, exp: now() + 300 })}`;
  const issue = () => call(service, 'Issue', { execAct: 'a', aud: [AUDIENCE] }, bearer);
  const { token } = (await issue()).body as { token: string };
  const verify = async () => {
    const request = { token, audience: AUDIENCE, replay_mode: 'REPLAY_MODE_SKIP' };
    return (await call(service, 'Verify', request, workload)).body;
  };
  expect(await verify()).toMatchObject({ valid: true });
  const eventually = (outcome: object) =>
    vi.waitFor(async () => expect(await verify()).toMatchObject(outcome), { timeout: SOON.timeout, interval: 200 });
  trust();
  await eventually({ finding: { reason: 'ERROR_REASON_ISSUER_MISMATCH' } });
  trust({ iss, use: ['past_callers'], callers: names });
  await eventually({ valid: true });
  expect(await issue()).toMatchObject({ status: 401, reason: 'CALLER_UNTRUSTED' });
});

test('A9: an identity token with a proof proves a caller once, over every transport and at every process', async () => {
  const [server, holder] = [issuerKey('svid'), issuerKey('w', { alg: 'ES256' })];
  const bundle = keep('wit.json', { keys: [{ ...server.jwk, use: 'jwt-svid' }] });
  const callers = { audience: AUDIENCE };
  const trust = keep('wits.json', {
    issuers: [{ iss: 'spiffe://example.org', jwks_file: bundle, use: ['callers'], callers }],
  });
  const publicUrl = 'https://ect.example';
  const settings = { ECT_TRUST_FILE: trust, ECT_CALLER_WITS: 'yes', ECT_PUBLIC_URL: publicUrl };
  await using service = await startService({ ...settings, ECT_WORKERS: '2' });
  await vi.waitFor(() => expect(service.events('foreign-keys-taken')).toHaveLength(2), SOON);
  const id = 'spiffe://example.org/w';
  const wit = server.jws({ sub: id, exp: now() + 300, cnf: { jwk: holder.jwk } }, { typ: 'wit+jwt' });
  const wth = hash('sha256', wit, 'base64url');
  const path = '/ect.v1.AuthorityService/Issue';
  const proof = (claims: object = {}, signer = holder) => {
    const all = { aud: `${publicUrl}${path}`, exp: now() + 290, jti: crypto.randomUUID(), wth, ...claims };
    return signer.jws(all, { typ: 'wpt+jwt' });
  };
  const sentAs = (wpt: string) => ({ 'workload-identity-token': wit, authorization: `WPT ${wpt}` });
  const issue = async (headers: Readonly<Record<string, string>>) => {
    const answer = await fetch(`${service.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', connection: 'close', ...headers },
      body: JSON.stringify({ execAct: 'a', aud: [AUDIENCE] }),
    });
    return { status: answer.status, body: await answer.text() };
  };
  expect(await issue(sentAs(proof()))).toMatchObject({ status: 200, body: expect.stringContaining(id) });
  const once = proof();
  const answers = await Promise.all(Array.from({ length: 8 }, () => issue(sentAs(once))));
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, ...Array(7).fill(401)]);
  expect(answers.find(({ status }) => status === 401)?.body).toContain('it was used before');
  expect((await issue({})).status).toBe(401);
  expect((await issue({ 'workload-identity-token': wit })).body).toContain('proof token is rejected: it is missing');

  const channel = new Client(service.address, credentials.createInsecure());
  const grpc = (wpt: string) =>
    new Promise<number>((resolve) => {
      const metadata = new Metadata();
      for (const [name, value] of Object.entries(sentAs(wpt))) metadata.set(name, value);
      const asBytes = (bytes: Buffer) => bytes;
      // exec_act and aud of an IssueRequest.
      const request = Buffer.from(
        toBinary(IssueRequestSchema, create(IssueRequestSchema, { execAct: 'a', aud: ['b:c'] })),
      );
      channel.makeUnaryRequest(path, asBytes, asBytes, request, metadata, (error) => resolve(error?.code ?? status.OK));
    });
  const another = proof();
  expect([await grpc(another), await grpc(another), await grpc(once)]).toEqual([
    status.OK,
    status.UNAUTHENTICATED,
    status.UNAUTHENTICATED,
  ]);
  channel.close();

  // At whichever worker: connections are handed out in turn.
  const bad: readonly [string, RegExp][] = [
    [proof({ aud: `${publicUrl}/ect.v1.AuthorityService/Verify` }), /its aud is not the URL of the method/],
    [proof({ aud: `https://other.example${path}` }), /its aud is not the URL of the method/],
    [proof({ exp: now() + 900 }), /it ends in more than 300 s/],
    [proof({}, issuerKey('w', { alg: 'ES256' })), /its signature does not verify/],
    [proof({ jti: 'short' }), /its jti/],
  ];
  for (const [wpt, why] of bad) {
    const both = await Promise.all([issue(sentAs(wpt)), issue(sentAs(wpt))]);
    for (const answer of both) expect(answer).toEqual({ status: 401, body: expect.stringMatching(why) });
  }

  const proven = service.events('call').filter((event) => event['proof'] === 'wimse');
  expect(proven.map((event) => event['by'])).toContain('spiffe://example.org');
  expect(new Set(proven.map((event) => event['worker']))).toEqual(new Set([1, 2]));
  // What processes remember of their own ends with them; that a proof was used is durable.
  await service.kill();
  await service.restart();
  await vi.waitFor(() => expect(service.events('foreign-keys-taken')).toHaveLength(4), SOON);
  for (const wpt of [once, another]) expect((await issue(sentAs(wpt))).body).toContain('it was used before');
  expect((await issue(sentAs(proof()))).status).toBe(200);
  for (const secret of [wit, once]) expect(service.stderr()).not.toContain(secret.split('.')[2]);
});

test('K7: without the keys of their issuer callers get a retry time, and are accepted when it responds', async () => {
  const key = rsaIssuerKey('rsa');
  const issuer = await startIssuer(key);
  const { answer } = issuer;
  issuer.answer = (response) => void response.writeHead(500).end();
  const callers = { audience: AUDIENCE, prefix: 'urn:people:' };
  const trust = keep('down.json', { issuers: [entryFor(issuer, { use: ['callers'], callers })] });
  await using service = await startService({ ECT_STORE: 'memory', ECT_TRUST_FILE: trust, ECT_CALLER_JWTS: 'yes' });
  await vi.waitFor(() => expect(service.events('foreign-keys-failed')).toHaveLength(1), SOON);
  expect(service.events('foreign-keys-failed')[0]).toMatchObject({ why: expect.stringContaining('status 500') });
  const authorization = `Bearer ${key.jws({ iss: issuer.url, sub: 'a', aud: AUDIENCE, exp: now() + 300 })}`;
  const issue = () => call(service, 'Issue', { execAct: 'a', aud: [AUDIENCE] }, authorization);
  expect(await issue()).toMatchObject({ status: 503, reason: 'ISSUER_KEYS_UNAVAILABLE' });
  issuer.answer = answer;
  await vi.waitFor(async () => expect((await issue()).status).toBe(200), { timeout: SOON.timeout, interval: 200 });
});

test('K5: another authority is trusted by its document, also when its key has just been rotated', async () => {
  const iss = 'urn:ect:other';
  await using other = await startService({ ECT_ISSUER: iss, ECT_STORE: 'memory', ECT_ADMINS: 'anonymous' });
  const authority = `${other.url}/.well-known/ect-authority`;
  const fetch = { network: 'loopback', cooldown_seconds: 1 };
  const trust = keep('authority.json', { issuers: [{ iss, subjects: 'below', authority, fetch }] });
  await using service = await startService({ ECT_TRUST_FILE: trust, ECT_STORE: 'memory' });
  await vi.waitFor(() => expect(service.events('foreign-keys-taken')).toHaveLength(1), SOON);
  const issue = async () => {
    const answer = await call(other, 'Issue', { execAct: 'a', aud: [AUDIENCE], iss: `${iss}:agent` });
    return (answer.body as { token: string }).token;
  };
  const verify = async (token: string) =>
    (await call(service, 'Verify', { token, audience: AUDIENCE, replay_mode: 'REPLAY_MODE_SKIP' })).body;
  const before = await issue();
  expect(await verify(before)).toMatchObject({ valid: true });
  // In use at once, before anybody can have fetched it.
  expect(await runMain(['keys', 'rotate', '--urgent', '--yes', '--url', other.url])).toMatchObject({ code: 0 });
  const after = await issue();
  expect(after.split('.')[0]).not.toBe(before.split('.')[0]);
  expect(await verify(after)).toMatchObject({ finding: { reason: 'ERROR_REASON_KEY_UNKNOWN' } });
  await vi.waitFor(async () => expect(await verify(after)).toMatchObject({ valid: true }), {
    timeout: SOON.timeout,
    interval: 200,
  });
  expect(await verify(before)).toMatchObject({ valid: true });
});
