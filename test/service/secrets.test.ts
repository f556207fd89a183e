// What must never be said: a service that was given secrets to handle, at its most talkative, and then searched.

import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Issued } from '../interop/answers.ts';
import { type CallError, dial } from '../interop/grpc-js-client.ts';
import { startService } from '../support/service-process.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const AUDIENCE = 'urn:example:reviewer';
/** Announced and active, of the root key and of the delegated one; at the end the root key that came by rotation, and the retirement of two. */
const KEY_COMMITS = 8;
const CANARY = 'CANARY-7d1f03';

/** The secret parts of the key files, in every form in which they could leak. */
async function keyMaterial(dataDir: string): Promise<readonly string[]> {
  const pems = ['signing-key.pem', 'signing-key-1.pem'].map((name) => readFile(join(dataDir, name), 'utf8'));
  const ledgerKey = (await readFile(join(dataDir, 'ledger.key'), 'utf8')).trim();
  const ledgerSecret = ledgerKey.split('+').slice(4).join('+');
  return [...(await Promise.all(pems)).flatMap(formsOf), ledgerSecret, 'PRIVATE'];
}

function formsOf(pem: string): readonly string[] {
  const { d = '' } = createPrivateKey(pem).export({ format: 'jwk' });
  const scalar = Buffer.from(d, 'base64url');
  const lines = pem.split('\n').filter((line) => line !== '' && !line.startsWith('-----'));
  return [...lines, d, scalar.toString('hex'), scalar.toString('base64')];
}

test('S1 no token, no content of a token and no key is ever in the log, on standard output, in metrics or in an error', async () => {
  await using service = await startService({
    ECT_LOG_LEVEL: 'debug',
    ECT_ADMINS: 'anonymous',
    ECT_SIGNING: 'two-tier',
  });
  using client = dial(service.address);
  const messages: string[] = [];
  const attempt = (method: string, request: object) =>
    client.call(method, request).catch((error: CallError) => {
      messages.push(error.message, JSON.stringify(error.info));
    });
  const fields = {
    exec_act: `review ${CANARY}`,
    aud: [AUDIENCE],
    ect_ext_json: JSON.stringify({ note: CANARY }),
    input: Buffer.from(CANARY),
    request_id: CANARY,
  };
  const { token, claims } = await client.call<Issued>(`${AUTHORITY}/Issue`, { ...fields, level: 'LEVEL_L3' });
  const [header, payload = '', signature = ''] = token.split('.');

  // Every way in which a token comes in, right and wrong.
  for (const text of [token, `${token}x`, `${header}.${payload}.${'A'.repeat(86)}`, `${payload}.${payload}`]) {
    await attempt(`${AUTHORITY}/Verify`, { token: text, audience: AUDIENCE, predecessor_tokens: [text] });
    await attempt(`${AUTHORITY}/Verify`, { token: text, audience: `urn:${CANARY}`, request_id: `${CANARY}-${CANARY}` });
    await attempt(`${AUTHORITY}/ValidateDAG`, { token: text });
    await attempt(`${AUTHORITY}/AppendLedger`, { token: text });
  }
  await attempt(`${AUTHORITY}/Issue`, { ...fields, exec_act: 'another request' });
  await attempt(`${AUTHORITY}/Issue`, { ...fields, request_id: '', ect_ext_json: `{"note":"${CANARY}"` });
  await attempt('ect.v1.LedgerService/GetEntry', { task: { jti: claims.jti } });
  await attempt('ect.v1.LedgerService/ListEntries', { page_token: CANARY });
  // Keys come and go meanwhile, rightly and wrongly.
  await client.call('ect.v1.AdminService/RotateKey', { urgent: true });
  await attempt('ect.v1.AdminService/RotateKey', { existing: { name: CANARY } });
  await attempt('ect.v1.AdminService/RevokeKey', { kid: CANARY });
  messages.push(JSON.stringify(await client.call('ect.v1.AdminService/ListKeys', {})));
  await fetch(`${service.url}/${token}`);
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: `{"token":"${token}"` };
  messages.push(await (await fetch(`${service.url}/ect.v1.${AUTHORITY}/Verify`, post)).text());
  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  expect(await service.stop()).toBe(0);

  const said = [service.stderr(), service.stdout(), metrics, ...messages].join('\n');
  for (const secret of [payload, signature, CANARY, ...(await keyMaterial(service.dataDir))]) {
    expect(secret.length).toBeGreaterThan(6);
    expect(said).not.toContain(secret);
  }
  // It was talkative, or the search would prove nothing.
  expect(service.events('call').length).toBeGreaterThan(18);
  expect(service.events('ledger-commit')).toHaveLength(KEY_COMMITS + 1);
  expect(messages.length).toBeGreaterThan(6);
});
