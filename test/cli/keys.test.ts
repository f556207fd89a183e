// `ect keys` against the process that an operator runs, and what the published documents say meanwhile.

import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Code, ConnectError } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '../../src/cli/client.ts';
import { requestRotation } from '../../src/cli/keys-rotate.ts';
import type { Io } from '../../src/cli/output.ts';
import { VERSION } from '../../src/version.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { ect } from './run.ts';

let service: ServiceProcess;
let at: readonly string[] = [];
let audience: readonly string[] = [];

beforeAll(async () => {
  service = await startService({ ECT_ADMINS: 'anonymous', ECT_SIGNING: 'two-tier' });
  at = ['--url', service.url];
  audience = ['--aud', 'urn:ect:dev', ...at];
});
afterAll(() => service[Symbol.asyncDispose]());

interface Listed {
  readonly keys: readonly {
    readonly key: { readonly kid: string; readonly state: string; readonly certificate: string };
    readonly generation?: number;
    readonly note: string;
  }[];
}

async function list(): Promise<Listed['keys']> {
  const { code, out } = await ect(['keys', 'list', '--json', ...at]);
  expect(code).toBe(0);
  return (JSON.parse(out) as Listed).keys;
}

describe('ect keys', () => {
  test('list shows the root key, and which delegated key it certified', async () => {
    const { code, out } = await ect(['keys', 'list', ...at]);
    expect(code).toBe(0);
    const [root, delegated] = await list();
    expect(out).toMatch(new RegExp(`^active +${root!.key.kid}\\n`));
    expect((await ect(['keys', 'list', '--past', ...at])).out).toBe(out);
    expect(out).toMatch(new RegExp(`active +${delegated!.key.kid}\\n[^]*certified by +${root!.key.kid}\\n`));
  });

  test('rotate announces a key, says from when it signs, and repeats itself without harm', async () => {
    const { code, out } = await ect(['keys', 'rotate', '--note', 'yearly', ...at]);
    expect(code).toBe(0);
    expect(out).toMatch(/^✓ announced\n {2}kid +\S{43}\n {2}state +announced\n {2}number +1\n/);
    expect(out).toMatch(/opened by +data-dir:signing-key-1\.pem/);
    expect((await ect(['keys', 'rotate', ...at])).out).toContain('✓ it was announced before; nothing was added');
    expect((await list()).map(({ generation, note }) => [generation, note])).toEqual([
      [0, ''],
      [undefined, ''],
      [1, 'yearly'],
    ]);
  });

  test('K13 rotate whose answer is lost asks again, and one key comes of it; where it gives up it says how to go on', async () => {
    await using other = await startService({ ECT_ADMINS: 'anonymous' });
    const { admin, close } = connect({ url: other.url, timeout: 10_000 });
    let lost = 1;
    const lossy = {
      listKeys: admin.listKeys,
      rotateKey: async (...args: Parameters<typeof admin.rotateKey>) => {
        const response = await admin.rotateKey(...args);
        if (lost-- > 0) throw new ConnectError('the connection was cut', Code.Unavailable);
        return response;
      },
    };
    const stderr = new PassThrough();
    const io: Io = { stdin: new PassThrough(), stdout: new PassThrough(), stderr };
    const first = await requestRotation(io, lossy, { urgent: true });
    const count = async () => (await admin.listKeys({})).keys.length;
    expect(await count()).toBe(2);
    lost = 3;
    await expect(requestRotation(io, lossy, { urgent: true })).rejects.toMatchObject({ code: Code.Unavailable });
    expect(await count()).toBe(3);
    stderr.end();
    const [, id = '', kid = ''] = /--request-id (\S+) --expect (\S+)$/m.exec(await text(stderr)) ?? [];
    expect(kid).toBe(first.key?.key?.kid);
    const again = ['keys', 'rotate', '--urgent', '--yes', '--request-id', id, '--expect', kid, '--url', other.url];
    expect((await ect(again)).out).toContain('✓ it was put to use before; nothing was added');
    expect(await count()).toBe(3);
    const stale = await ect(['keys', 'rotate', '--urgent', '--yes', '--expect', kid, '--url', other.url]);
    expect([stale.code, stale.err]).toEqual([1, expect.stringContaining('✗ KEY_NOT_CURRENT')]);
    close();
  });

  test('an urgent rotation replaces the key immediately, so it asks for confirmation, or needs --yes', async () => {
    const before = await list();
    const { code, err } = await ect(['keys', 'rotate', '--urgent', ...at]);
    expect(code).toBe(2);
    expect(err).toMatch(/The key in use will not sign any more.*repeat the command with --yes/);
    expect(await list()).toEqual(before);
  });

  test('rotate to a named key is rejected where no key can be named', async () => {
    const { code, err } = await ect(['keys', 'rotate', '--next', 'alias/other', ...at]);
    expect(code).toBe(1);
    expect(err).toContain('✗ ROTATION_UNSUPPORTED');
    // The service makes its keys: a restart with another file is not what is missing.
    expect(err).toContain('Leave `existing` (--next) out');
    expect(err).not.toContain('ECT_LOCAL_KEY_FILE');
  });

  test('retire rejects the key that signs, and an unknown key', async () => {
    const [root] = await list();
    expect((await ect(['keys', 'retire', root!.key.kid, '--yes', ...at])).err).toContain('✗ KEY_STATE_INVALID');
    expect((await ect(['keys', 'retire', 'x'.repeat(43), '--yes', ...at])).err).toContain('✗ KEY_NOT_FOUND');
    expect((await ect(['keys', 'retire', '-'.repeat(43), '--yes', ...at])).err).toContain('✗ KEY_NOT_FOUND');
    expect((await ect(['keys', 'revoke', '-'.repeat(43), '--yes', ...at])).err).toContain('✗ KEY_NOT_FOUND');
    expect((await ect(['keys', 'retire', 'short', '--yes', ...at])).err).toContain('✗ REQUEST_INVALID');
  });

  test('K9 revoke ends a key for ever, taints its tasks, and says what to do next', async () => {
    const { out: token } = await ect(['issue', '--exec-act', 'a', ...audience]);
    const [, delegated] = await list();
    const { kid } = delegated!.key;
    const { code, out, err } = await ect(['keys', 'revoke', kid, '--note', 'stolen', '--yes', ...at]);
    expect(code).toBe(0);
    expect(out).toMatch(/^✓ revoked\n/);
    expect(err).toContain('ect keys rotate --urgent');
    const verdict = await ect([
      'verify',
      token.trim().split('\n')[0]!,
      '--audience',
      'urn:ect:dev',
      '--no-replay',
      ...at,
    ]);
    expect(verdict.code).toBe(1);
    expect(verdict.out).toContain('KEY_REVOKED');
    const again = await ect(['keys', 'revoke', kid, '--json', '--yes', ...at]);
    expect(JSON.parse(again.out)).toMatchObject({ duplicate: true, key: { key: { state: 'KEY_STATE_REVOKED' } } });
  });

  test('a time without a zone, and no kid, are wrong usage', async () => {
    expect((await ect(['keys', 'revoke', 'x'.repeat(43), '--since', '2026-01-01', '--yes', ...at])).code).toBe(2);
    expect((await ect(['keys', 'retire', ...at])).code).toBe(2);
    expect((await ect(['keys', 'what', ...at])).code).toBe(2);
  });
});

test('the authority document names the issuer, the key set and the key of the ledger', async () => {
  const answer = await fetch(`${service.url}/.well-known/ect-authority`);
  expect(answer.headers.get('cache-control')).toBe('public, max-age=300');
  const key = (await ect(['checkpoint', '--key', ...at])).out.trim();
  const document = (await answer.json()) as object;
  expect(Object.keys(document)).toEqual([
    'issuer',
    'version',
    'signing_alg',
    'verification_algs',
    'drafts',
    'jwks_uri',
    'endpoints',
    'ledger',
    'limits',
    'features',
  ]);
  expect(document).toMatchObject({
    issuer: 'urn:ect:dev',
    version: VERSION,
    signing_alg: 'ES256',
    verification_algs: ['ES256'],
    drafts: ['draft-nennemann-wimse-ect-00', 'draft-nennemann-wimse-ect-01'],
    jwks_uri: `${service.url}/.well-known/jwks.json`,
    endpoints: Object.fromEntries(
      ['AuthorityService', 'LedgerService', 'KeyService', 'AdminService'].map((name) => [
        `ect.v1.${name}`,
        `${service.url}/ect.v1.${name}`,
      ]),
    ),
    ledger: { origin: key.split('+')[0], verifier_key: key, audience: '' },
    limits: { message_bytes: 262_144, default_ttl: '600s' },
    features: { minimum_level: 'LEVEL_L2', durable: true, delegated_keys: true, proven_callers: false },
  });
  const { out } = await ect(['authority', ...at]);
  for (const line of [/^issuer +urn:ect:dev$/m, /^batch_items +1000$/m, /^delegated_keys +true$/m, /^ledger +\S+$/m])
    expect(out).toMatch(line);
  const { batchItems } = JSON.parse((await ect(['authority', '--json', ...at])).out).limits;
  expect(batchItems).toBe(1_000);
});

test('the key set and GetKeySet have the same keys, and a set that is known is not sent again', async () => {
  const answer = await fetch(`${service.url}/.well-known/jwks.json`);
  const etag = answer.headers.get('etag') ?? '';
  const text = await answer.text();
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };
  const keySet = await (await fetch(`${service.url}/ect.v1.KeyService/GetKeySet`, post)).json();
  expect(keySet).toMatchObject({ jwksJson: text, maxAge: '300s' });
  const again = await fetch(`${service.url}/.well-known/jwks.json`, { headers: { 'if-none-match': `W/${etag}, "x"` } });
  expect([again.status, await again.text()]).toEqual([304, '']);
});

test('only an administrator lists or changes keys; every caller gets the key set', async () => {
  await using guarded = await startService();
  const url = ['--url', guarded.url];
  for (const argv of [['list'], ['rotate'], ['retire', 'x'.repeat(43), '--yes'], ['revoke', 'x'.repeat(43), '--yes']]) {
    const { code, err } = await ect(['keys', ...argv, ...url]);
    expect(code).toBe(1);
    expect(err).toContain('✗ ADMIN_REQUIRED');
  }
  expect((await fetch(`${guarded.url}/.well-known/jwks.json`)).status).toBe(200);
});

test('K8 a lost key file is reported, and no other key signs instead', async () => {
  await using own = await startService({ ECT_ADMINS: 'anonymous' });
  expect(await own.stop()).toBe(0);
  await rm(join(own.dataDir, 'signing-key.pem'));
  await own.restart();
  const { err } = await ect(['issue', '--exec-act', 'a', '--aud', 'urn:ect:dev', '--url', own.url]);
  expect(err).toContain('✗ SIGNER_UNAVAILABLE');
  // What is wrong, and which command or file ends it; the log has the place.
  expect(err).toContain(
    'Another key is in the place of the signing key: the operator puts that one back, or puts the next key to use',
  );
  expect(err).toMatch(/next: Retry a little later: .* If it persists, ask the operator/);
  expect(own.events('keys-failed')[0]?.['causes']).toContain('another key is at data-dir:signing-key.pem');
  const events = own.events('key-changed').map(({ state }) => state);
  expect(events.at(-1)).toBe('announced');
  expect(own.events('keys-failed').length).toBeGreaterThan(0);

  // The step that it names helps; of a later key that is lost the file is named.
  const rotate = () => ect(['keys', 'rotate', '--urgent', '--yes', '--url', own.url]);
  const issue = () => ect(['issue', '--exec-act', 'a', '--aud', 'urn:ect:dev', '--url', own.url]);
  for (let turn = 0; turn < 2; turn++) expect((await rotate()).code).toBe(0);
  expect((await issue()).code).toBe(0);
  expect(await own.stop()).toBe(0);
  // The key before signs on for a moment, so it is taken away too.
  const files = (await readdir(own.dataDir)).filter((name) => name.startsWith('signing-key')).toSorted();
  for (const name of files) await rm(join(own.dataDir, name));
  await own.restart();
  expect((await issue()).err).toContain(
    `The signing key ${files.at(-2)} of the data directory cannot be opened: the operator puts it back, or puts the next key to use (\`ect keys rotate --urgent\`).`,
  );
  expect((await rotate()).code).toBe(0);
  expect((await issue()).code).toBe(0);
  const { kid } = JSON.parse((await ect(['keys', 'list', '--json', '--url', own.url])).out).keys.at(-1).key;
  expect((await ect(['keys', 'revoke', kid, '--yes', '--url', own.url])).code).toBe(0);
  const revoked = (await issue()).err;
  expect(revoked).toContain('an administrator can put the next one to use (`ect keys rotate --urgent`)');
  expect(revoked).toContain('If it persists, ask the operator');
});
