// Through the real server: an entry says who had it recorded, how that was proven, and by which policy it was allowed, for each kind of
// proof; and the digest of the policy leads back to its text.

import { hash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AdminService } from '../../src/gen/ect/v1/admin_pb.ts';
import { AuthorityService } from '../../src/gen/ect/v1/authority_pb.ts';
import { KeyState, KeyStateSchema } from '../../src/gen/ect/v1/keys_pb.ts';
import { CallerProof, type Entry, EntryKind, LedgerService, ProofStrength } from '../../src/gen/ect/v1/ledger_pb.ts';
import { Level } from '../../src/gen/ect/v1/token_pb.ts';
import {
  type Certificate,
  createCertificateAuthority,
  issueServerCertificate,
  issueSvid,
} from '../support/certificates.ts';
import { issuerKey } from '../support/jwks.ts';
import { describeWith } from '../support/need.ts';
import { runMain, type ServiceProcess, startService } from '../support/service-process.ts';

const [ADMIN, A, B, PROXY] = ['admin', 'a', 'b', 'proxy'].map((name) => `spiffe://example.org/${name}`) as [
  string,
  string,
  string,
  string,
];
const ISSUER = 'spiffe://example.org';
const PUBLIC_URL = 'https://ect.example';
const ORDER = { execAct: 'pay', aud: ['urn:example:reader'], level: Level.L3 };
const POLICY = '@id("all") permit (principal, action, resource);\n';
const now = () => Math.floor(Date.now() / 1000);

const folder = mkdtempSync(join(tmpdir(), 'ect-provenance-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const keep = (name: string, content: string) => {
  writeFileSync(join(folder, name), content, { mode: 0o600 });
  return join(folder, name);
};

interface Clients {
  readonly authority: Client<typeof AuthorityService>;
  readonly ledger: Client<typeof LedgerService>;
  readonly admin: Client<typeof AdminService>;
}

function clientsOver(baseUrl: string, nodeOptions: object): Clients {
  const transport = createConnectTransport({ baseUrl, httpVersion: '1.1', nodeOptions });
  return {
    authority: createClient(AuthorityService, transport),
    ledger: createClient(LedgerService, transport),
    admin: createClient(AdminService, transport),
  };
}

async function entryOf({ ledger }: Clients, jti: string) {
  const { entry, receipt } = await ledger.getEntry({ name: { case: 'task', value: { wid: '', jti } } });
  const salt = receipt?.proof.case === 'inclusion' ? receipt.proof.value.salt : undefined;
  return { entry: entry as Entry, salt };
}

describeWith('openssl', 'callers with certificates, and with credentials over their connections', () => {
  const identities = issuerKey('identities');
  const holder = issuerKey('w', { alg: 'ES256' });
  const ca = createCertificateAuthority();
  let service: ServiceProcess;

  beforeAll(async () => {
    const server = issueServerCertificate(ca);
    const trust = {
      issuers: [
        {
          iss: ISSUER,
          jwks: { keys: [{ ...identities.jwk, use: 'sig' }] },
          use: ['callers'],
          callers: { audience: 'urn:example:ect', max_lifetime_seconds: 3600 },
        },
      ],
    };
    service = await startService({
      ECT_TLS_CERT: keep('server.pem', server.cert),
      ECT_TLS_KEY: keep('server.key', server.key),
      ECT_TLS_CLIENT_BUNDLES: `example.org=${keep('ca.pem', ca.cert)}`,
      ECT_FORWARDED_BY: PROXY,
      ECT_TRUST_FILE: keep('trust.json', JSON.stringify(trust)),
      ECT_CALLER_JWTS: 'yes',
      ECT_CALLER_WITS: 'yes',
      ECT_PUBLIC_URL: PUBLIC_URL,
      ECT_ADMINS: ADMIN,
      ECT_POLICY_FILE: keep('policy.cedar', POLICY),
      ECT_SIGNING: 'two-tier',
    });
  });
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    ca[Symbol.dispose]();
  });

  const as = (id: string): Clients => {
    const certificate: Certificate = issueSvid(ca, id);
    return clientsOver(service.url, { ca: ca.cert, ...certificate });
  };

  function wimseHeaders(): Record<string, string> {
    const wit = identities.jws({ sub: A, exp: now() + 300, cnf: { jwk: holder.jwk } }, { typ: 'wit+jwt' });
    const proof = {
      aud: `${PUBLIC_URL}/ect.v1.AuthorityService/Issue`,
      exp: now() + 60,
      jti: crypto.randomUUID(),
      wth: hash('sha256', wit, 'base64url'),
    };
    return { 'workload-identity-token': wit, authorization: `WPT ${holder.jws(proof, { typ: 'wpt+jwt' })}` };
  }
  const bearer = () => ({
    authorization: `Bearer ${identities.jws({ sub: A, aud: 'urn:example:ect', exp: now() + 300 })}`,
  });

  test.each([
    ['mTLS', A, {}, CallerProof.MTLS, ProofStrength.POSSESSION, 'example.org', 'mtls', 'possession'],
    ['a JWT', B, bearer, CallerProof.JWT, ProofStrength.BEARER, ISSUER, 'jwt', 'bearer'],
    ['WIMSE', B, wimseHeaders, CallerProof.WIMSE, ProofStrength.POSSESSION, ISSUER, 'wimse', 'possession'],
    [
      'a proxy',
      PROXY,
      () => ({ 'x-forwarded-client-cert': `URI=${A}` }),
      CallerProof.FORWARDED,
      ProofStrength.VOUCHED,
      PROXY,
      'forwarded',
      'vouched',
    ],
  ])('an entry of a caller proven by %s says so, and so does the event of the call', async (...row) => {
    const [, peer, headers, proof, strength, proofBy, method, strengthName] = row;
    const sent = typeof headers === 'function' ? headers() : headers;
    const { claims } = await as(peer).authority.issue(ORDER, { headers: sent });
    const { entry, salt } = await entryOf(as(ADMIN), claims?.jti ?? '');
    const { statement = new Uint8Array(), ...said } = entry.provenance ?? {};
    const policyDigest = service.events('policy-in-force')[0]?.['digest'];
    expect(said).toMatchObject({ action: 'Issue', caller: A, proof, strength, proofBy, policyDigest });
    // The leaf commits to it: the salt of the receipt is its hash.
    expect(hash('sha256', statement, 'hex')).toBe(Buffer.from(salt ?? []).toString('hex'));
    const reported = () => service.events('call').filter((event) => event['proof'] === method);
    await expect.poll(reported).not.toHaveLength(0);
    expect(reported()[0]).toMatchObject({ caller: A, by: proofBy, strength: strengthName });
  });

  test('administrators, the caller and the issuer see it; others do not see that it is there', async () => {
    const { token } = await as(A).authority.issue({ ...ORDER, level: Level.L2 });
    const { entry: appended } = await as(B).authority.appendLedger({ token });
    const jti = appended?.body.case === 'task' ? (appended.body.value.name?.jti ?? '') : '';
    // Every single response with an entry follows one rule; a batch has no room for provenances.
    const appendedBy = async (id: string) => (await as(id).authority.appendLedger({ token })).entry?.provenance?.caller;
    expect(appended?.provenance?.caller).toBe(B);
    expect(await Promise.all([ADMIN, A, B, 'spiffe://example.org/c'].map(appendedBy))).toEqual([B, B, B, undefined]);
    const { results } = await as(B).authority.batchAppendLedger({ items: [{ request: { token } }] });
    const batched = results[0]?.result.case === 'response' ? results[0].result.value : undefined;
    expect(batched?.duplicate).toBe(true);
    expect(batched?.entry?.provenance).toBeUndefined();
    const seenBy = async (id: string) => (await entryOf(as(id), jti)).entry.provenance?.caller;
    expect(await Promise.all([ADMIN, A, B].map(seenBy))).toEqual([B, B, B]);
    expect(await seenBy('spiffe://example.org/c')).toBeUndefined();
    const listed = async (id: string, withContent: boolean) => {
      const { entries } = await as(id).ledger.listEntries({ wid: '', iss: A, withContent });
      return entries.filter(({ provenance }) => provenance !== undefined).length;
    };
    expect(await listed(ADMIN, true)).toBeGreaterThan(0);
    expect([await listed(ADMIN, false), await listed('spiffe://example.org/c', true)]).toEqual([0, 0]);
  });

  test('entries about keys and marks say which administrator had them recorded; what the service did by itself says nobody', async () => {
    const { admin, ledger } = as(ADMIN);
    const before = await admin.listKeys({});
    const delegated = before.keys.find(
      ({ generation, key }) => generation === undefined && key?.state === KeyState.ACTIVE,
    );
    const retired = delegated?.key?.kid ?? '';
    await admin.retireKey({ kid: retired });
    const source = { case: 'generated', value: {} } as const;
    const rotated = await admin.rotateKey({ source, requestId: crypto.randomUUID() });
    const revoked = rotated.key?.key?.kid ?? '';
    await admin.revokeKey({ kid: revoked });
    const kinds = [EntryKind.KEY, EntryKind.TAINT];
    const { entries } = await ledger.listEntries({ kinds, withContent: true });
    const policyDigest = service.events('policy-in-force')[0]?.['digest'];
    const proven = { proof: CallerProof.MTLS, strength: ProofStrength.POSSESSION, proofBy: 'example.org' };
    const actions = new Map<string, string>();
    for (const { body, provenance } of entries) {
      if (provenance === undefined) continue;
      expect(provenance).toMatchObject({ caller: ADMIN, ...proven, policyDigest });
      if (body.case === 'key')
        actions.set(`${KeyStateSchema.value[body.value.state]?.localName} ${body.value.kid}`, provenance.action);
      const subject = body.case === 'taint' ? body.value.subject : undefined;
      if (subject?.case === 'kid') actions.set(`mark ${subject.value}`, provenance.action);
    }
    expect(Object.fromEntries(actions)).toEqual({
      [`RETIRED ${retired}`]: 'RetireKey',
      [`ANNOUNCED ${revoked}`]: 'RotateKey',
      [`REVOKED ${revoked}`]: 'RevokeKey',
      [`mark ${revoked}`]: 'RevokeKey',
    });
    // The first keys were announced by the start.
    expect(entries.filter(({ provenance }) => provenance === undefined)).not.toHaveLength(0);
    // Others read the entries, and not who had them recorded.
    const seen = await as(B).ledger.listEntries({ kinds, withContent: true });
    expect(seen.entries.map(({ provenance }) => provenance)).toEqual(entries.map(() => undefined));
    const audit = await runMain(['audit', join(service.dataDir, 'ledger.db'), '--json']);
    expect(JSON.parse(audit.stdout)).toMatchObject({ ok: true, provenance: { gapCount: 0 } });
  });

  test('the digest in an entry leads to the policy, to the byte, and an audit finds everything whole', async () => {
    const digest = String(service.events('policy-in-force')[0]?.['digest']);
    const file = join(service.dataDir, 'ledger.db');
    const list = await runMain(['policy', 'recorded', file]);
    expect(list).toMatchObject({ code: 0, stdout: expect.stringContaining(digest) });
    const text = await runMain(['policy', 'recorded', file, '--digest', digest]);
    expect(text).toMatchObject({ code: 0, stdout: readFileSync(join(folder, 'policy.cedar'), 'utf8') });
    expect((await runMain(['policy', 'digest', join(folder, 'policy.cedar')])).stdout.trim()).toBe(digest);
    expect(await runMain(['policy', 'recorded', file, '--digest', 'x'.repeat(43)])).toMatchObject({ code: 1 });
    const audit = JSON.parse((await runMain(['audit', file, '--json'])).stdout) as Record<string, unknown>;
    expect(audit).toMatchObject({ ok: true, provenance: { gapCount: 0, policies: 1, keptPolicies: 1 } });
  });
});

describe('callers without certificates', () => {
  test('an entry of the workload of a Unix socket names the socket', async () => {
    const path = join(folder, 'ect.sock');
    await using service = await startService({
      ECT_LISTEN: `unix:${path}`,
      ECT_UNIX_CALLER: A,
      ECT_ADMINS: A,
    });
    expect(service.url).toBe(`unix:${path}`);
    const clients = clientsOver('http://localhost', { createConnection: () => connect(path) });
    const { claims } = await clients.authority.issue(ORDER);
    const { entry } = await entryOf(clients, claims?.jti ?? '');
    const { UNIX: proof } = CallerProof;
    const { LOCAL: strength } = ProofStrength;
    expect(entry.provenance).toMatchObject({ caller: A, proof, strength, proofBy: path, policyDigest: 'built-in' });
  });

  test('an entry of an anonymous caller says that nothing was proven, to administrators alone', async () => {
    for (const administrators of ['anonymous', undefined]) {
      await using service = await startService({ ECT_ADMINS: administrators, ECT_STORE: 'memory' });
      const clients = clientsOver(service.url, {});
      const { claims } = await clients.authority.issue(ORDER);
      const { entry } = await entryOf(clients, claims?.jti ?? '');
      const said = { action: 'Issue', caller: '', proof: CallerProof.NONE, strength: ProofStrength.NONE, proofBy: '' };
      if (administrators === undefined) expect(entry.provenance).toBeUndefined();
      else expect(entry.provenance).toMatchObject({ ...said, policyDigest: 'built-in' });
    }
  });
});
