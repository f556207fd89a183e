// Two tiers over a key in AWS KMS that is slow and throttles: what KMS sees of it, and how its keys change.

import { expect, test } from 'vitest';
import type { KmsDouble } from '../../kms-double/server.ts';
import type { Issued, Verdict } from '../interop/answers.ts';
import { dial, type GrpcClient } from '../interop/grpc-js-client.ts';
import { startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';
import { kmsSettings, REGION, startAliasedDouble } from './kms-alias.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const ADMIN = 'ect.v1.AdminService';
const AUDIENCE = 'urn:example:reviewer';
const TOKENS = 2000;

const startDouble = () => startAliasedDouble({ delayMs: 30, requestsPerSecond: 100 });
const settingsFor = (double: KmsDouble) => ({ ...kmsSettings(double), ECT_ADMINS: 'anonymous' });

const issue = (client: GrpcClient, execAct = 'a') =>
  client.call<Issued>(`${AUTHORITY}/Issue`, { exec_act: execAct, aud: [AUDIENCE] });
const verify = (client: GrpcClient, token: string) =>
  client.call<Verdict>(`${AUTHORITY}/Verify`, { token, audience: AUDIENCE, replay_mode: 'REPLAY_MODE_SKIP' });

interface Listed {
  readonly keys: readonly {
    readonly key: { readonly kid: string; readonly state: string };
    readonly locator: string;
  }[];
}
const list = async (client: GrpcClient) => (await client.call<Listed>(`${ADMIN}/ListKeys`, {})).keys;

test('D8 2,000 tokens cost KMS one signature; what is to be signed directly goes to KMS', async () => {
  const double = await startDouble();
  await using service = await startService({
    ...settingsFor(double),
    ECT_SIGNING: 'two-tier',
    ECT_DIRECT_ACTS: 'execute_trade',
  });
  using client = dial(service.address);
  const before = double.count('Sign');
  const items = Array.from({ length: 100 }, () => ({ request: { exec_act: 'a', aud: [AUDIENCE] } }));
  const answers = await Promise.all(
    Array.from({ length: TOKENS / 100 }, () =>
      client.call<{ results: readonly { response: Issued }[] }>(`${AUTHORITY}/BatchIssue`, { items }),
    ),
  );
  const issued = answers.flatMap(({ results }) => results.map(({ response }) => response));
  expect(issued).toHaveLength(TOKENS);
  // At the start KMS has proven its key and signed the certificate.
  expect([before, double.count('Sign') - before]).toEqual([2, 0]);
  expect(await verify(client, issued[0]!.token)).toMatchObject({ valid: true });

  const [root, delegated] = await list(client);
  expect([root!.locator, delegated!.key.kid]).toEqual(['kms:alias/ect', issued[0]!.kid]);
  expect((await issue(client, 'execute_trade')).kid).toBe(root!.key.kid);
  expect(double.count('Sign') - before).toBe(1);
});

test('K8 another key of KMS takes over, and does so again after a restart whose settings name the old one', async () => {
  const double = await startDouble();
  const next = double.keys.create(REGION, 'ECC_NIST_P256', 'SIGN_VERIFY', false);
  await using service = await startService({
    ...settingsFor(double),
    ECT_JWKS_MAX_AGE_SEC: '1',
    ECT_KEYS_REFRESH_SEC: '0.2',
  });
  using client = dial(service.address);
  const old = await issue(client);
  const rotation = client.call<{ key: Listed['keys'][number] }>(`${ADMIN}/RotateKey`, {
    existing: { name: next.keyId },
  });
  const { key, locator } = (await rotation).key;
  expect([key.state, locator]).toEqual(['KEY_STATE_ANNOUNCED', `kms:${next.keyId}`]);
  await expect.poll(async () => (await issue(client)).kid, SOON).not.toBe(old.kid);
  expect((await issue(client)).kid).toBe(key.kid);
  expect(await verify(client, old.token)).toMatchObject({ valid: true });

  expect(await service.stop()).toBe(0);
  await service.restart();
  using again = dial(service.address);
  expect((await issue(again)).kid).toBe(key.kid);
  expect(await verify(again, old.token)).toMatchObject({ valid: true });
  expect((await list(again)).map(({ key: { state } }) => state)).toEqual(['KEY_STATE_RETIRED', 'KEY_STATE_ACTIVE']);
});

test('K10 an announced key of KMS is put to use at once when the one in use is revoked, without being named again', async () => {
  const double = await startDouble();
  const next = double.keys.create(REGION, 'ECC_NIST_P256', 'SIGN_VERIFY', false);
  await using service = await startService(settingsFor(double));
  using client = dial(service.address);
  const old = await issue(client);
  const { key } = await client.call<{ key: Listed['keys'][number] }>(`${ADMIN}/RotateKey`, {
    existing: { name: next.keyId },
  });
  await client.call(`${ADMIN}/RevokeKey`, { kid: old.kid });
  await client.call(`${ADMIN}/RotateKey`, { urgent: true });
  const fresh = await issue(client);
  expect(fresh.kid).toBe(key.key.kid);
  expect(await verify(client, fresh.token)).toMatchObject({ valid: true });
  expect(await verify(client, old.token)).toMatchObject({
    valid: false,
    finding: { reason: 'ERROR_REASON_KEY_REVOKED' },
  });
});

test('D2 a key of KMS that cannot sign is not announced', async () => {
  const double = await startDouble();
  await using service = await startService(settingsFor(double));
  using client = dial(service.address);
  const bad = double.keys.create(REGION, 'ECC_NIST_P256', 'SIGN_VERIFY', false);
  bad.state = 'Disabled';
  const rotate = (key: string) => client.call(`${ADMIN}/RotateKey`, { existing: { name: key } });
  await expect(rotate(bad.keyId)).rejects.toMatchObject({ reason: 'SIGNER_MISCONFIGURED' });
  await expect(rotate('alias/nowhere')).rejects.toMatchObject({ reason: 'SIGNER_MISCONFIGURED' });
  await expect(rotate('not a key')).rejects.toMatchObject({ reason: 'REQUEST_INVALID' });
  await expect(rotate('')).rejects.toMatchObject({ reason: 'REQUEST_INVALID' });
  const generated = client.call(`${ADMIN}/RotateKey`, { generated: {} });
  await expect(generated).rejects.toMatchObject({ reason: 'ROTATION_UNSUPPORTED' });
  expect(await list(client)).toHaveLength(1);
});
