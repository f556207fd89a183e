// A7: foreign keys and the signing key change under a running service.

import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Issued, reasonIn, type Verdict } from '../interop/answers.ts';
import { dial } from '../interop/grpc-js-client.ts';
import { startService } from '../support/service-process.ts';
import { A, ISSUE, ORDER, until } from './replaced-volume.ts';

test('A7 K9 the trust file: a foreign key that is taken out verifies nothing any more, one that is added does', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ect-trust-'));
  try {
    const file = join(folder, 'trust.json');
    const trust = async (name: string) => {
      const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const keys = [{ ...publicKey.export({ format: 'jwk' }), kid: name }];
      await writeFile(`${file}.new`, JSON.stringify({ issuers: [{ iss: `urn:${name}`, jwks: { keys } }] }));
      await rename(`${file}.new`, file);
    };
    await trust('first');
    await using service = await startService({ ECT_TRUST_FILE: file });
    using client = dial(service.address);
    const header = (kid: string) =>
      Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'exec+jwt', kid })).toString('base64url');
    const claims = Buffer.from(JSON.stringify({ iss: 'urn:second', aud: [A] })).toString('base64url');
    // Whether a key is known is asked before its signature is looked at.
    const reason = async (kid: string) => {
      const token = `${header(kid)}.${claims}.${Buffer.alloc(64, 1).toString('base64url')}`;
      return reasonIn(await client.call<Verdict>('ect.v1.AuthorityService/Verify', { token, audience: A }));
    };
    expect(await reason('second')).toBe('KEY_UNKNOWN');
    await trust('second');
    await until(() => expect(service.events('files-reloaded')).toEqual([expect.objectContaining({ files: 'trust' })]));
    expect(await reason('second')).not.toBe('KEY_UNKNOWN');
    expect(await reason('first')).toBe('KEY_UNKNOWN');

    await writeFile(file, '{"issuers":[');
    await until(() => expect(service.events('reload-refused')).toHaveLength(1));
    expect(service.events('reload-refused')[0]).toMatchObject({ files: 'trust', why: expect.stringContaining(file) });
    expect(await reason('second')).not.toBe('KEY_UNKNOWN');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('A7 another signing key in the configured file is announced first, and signs when everybody can know it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ect-key-'));
  try {
    const file = join(folder, 'key.pem');
    const put = async () => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      await writeFile(`${file}.new`, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
      await rename(`${file}.new`, file);
    };
    await put();
    await using service = await startService({
      ECT_LOCAL_KEY_FILE: file,
      ECT_JWKS_MAX_AGE_SEC: '2',
      ECT_KEYS_REFRESH_SEC: '0.2',
    });
    using client = dial(service.address);
    const kid = async () => (await client.call<Issued>(ISSUE, ORDER)).kid;
    const first = await kid();
    await put();
    await until(() =>
      expect(service.events('files-reloaded')).toEqual([expect.objectContaining({ files: 'signing-key' })]),
    );
    const announced = service.events('key-changed').at(-1);
    expect(announced).toMatchObject({ state: 'announced' });
    expect(await kid()).toBe(first);
    await until(async () => expect(await kid()).toBe(announced?.['kid']));
    expect(service.events('keys-failed')).toEqual([]);

    await writeFile(file, 'no key');
    await until(() => expect(service.events('reload-refused')).toHaveLength(1));
    expect(service.events('reload-refused')[0]).toMatchObject({
      files: 'signing-key',
      why: expect.stringContaining(file),
    });
    expect(await kid()).toBe(announced?.['kid']);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
