// The service as an operator configures it for the tokens of others: which issuers, which algorithms, which drafts, which ids.

import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { reasonIn, type Verdict } from '../interop/answers.ts';
import { runMain, type Settings, startService } from '../support/service-process.ts';
import { AUD, encode, JTI, KID } from '../support/tokens.ts';

const folder = mkdtempSync(join(tmpdir(), 'ect-trust-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const foreign = 'https://partner.example/agents';
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const trustFile = join(folder, 'trust.json');
const jwk = { ...publicKey.export({ format: 'jwk' }), kid: KID };
writeFileSync(trustFile, JSON.stringify({ issuers: [{ iss: foreign, subjects: 'below', jwks: { keys: [jwk] } }] }));

/** A token of draft -00 as the partner makes it, now. */
function makeForeign(claims: object = {}): string {
  const iat = Math.floor(Date.now() / 1000);
  const payload = {
    iss: `${foreign}/a`,
    aud: AUD,
    iat,
    exp: iat + 300,
    jti: JTI,
    exec_act: 'review',
    par: [],
    ...claims,
  };
  const input = `${encode({ alg: 'ES384', typ: 'wimse-exec+jwt', kid: KID })}.${encode(payload)}`;
  return `${input}.${sign('sha384', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

async function verdictsUnder(settings: Settings, tokens: readonly string[]): Promise<readonly string[]> {
  await using service = await startService({ ECT_STORE: 'memory', ...settings });
  const verdicts: string[] = [];
  for (const token of tokens) {
    const answer = await fetch(`${service.url}/ect.v1.AuthorityService/Verify`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token, audience: AUD, replay_mode: 'REPLAY_MODE_SKIP' }),
    });
    const { valid, finding = null } = (await answer.json()) as Pick<Verdict, 'valid'> & Partial<Verdict>;
    verdicts.push(valid ? 'VALID' : reasonIn({ finding }));
  }
  expect(await service.stop()).toBe(0);
  return verdicts;
}

test('a foreign issuer is trusted if file, algorithm and draft allow it, and each of them can be missing', async () => {
  const all = { ECT_TRUST_FILE: trustFile, ECT_ALGORITHMS: 'ES256,ES384' };
  const tokens = [makeForeign(), makeForeign({ iss: 'https://partner.example' }), makeForeign({ jti: 'task-7' })];
  expect(await verdictsUnder(all, tokens)).toEqual(['VALID', 'ISSUER_MISMATCH', 'CLAIM_INVALID']);
  expect(await verdictsUnder({ ...all, ECT_UUIDS: 'off' }, tokens)).toEqual(['VALID', 'ISSUER_MISMATCH', 'VALID']);
  expect(await verdictsUnder({ ...all, ECT_DRAFTS: '01' }, tokens.slice(0, 1))).toEqual(['CLAIM_INVALID']);
  expect(await verdictsUnder({ ...all, ECT_ALGORITHMS: undefined }, tokens.slice(0, 1))).toEqual(['ALG_NOT_ALLOWED']);
  expect(await verdictsUnder({ ...all, ECT_TRUST_FILE: undefined }, tokens.slice(0, 1))).toEqual(['KEY_UNKNOWN']);
});

test('K4: a trust file with mistakes stops the start and names them', async () => {
  const path = join(folder, 'bad.json');
  writeFileSync(path, JSON.stringify({ issuers: [{ iss: foreign, jwks: { keys: [{ ...jwk, d: 'canary' }, 7] } }] }));
  const ended = await runMain(['serve'], { ECT_TRUST_FILE: path, ECT_STORE: 'memory', ECT_LISTEN: '127.0.0.1:0' });
  expect(ended.code).not.toBe(0);
  expect(ended.stderr).toMatch(/issuers\[0\]\.jwks\.keys\[0\]: .*private member d/);
  expect(ended.stderr).toContain('issuers[0].jwks.keys[1]: it must be an object.');
  expect(ended.stderr).not.toContain('canary');
});
