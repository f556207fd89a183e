// The process with its key in AWS KMS: what callers see of it while KMS is well, ill, gone or lying.

import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { status as codes } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import type { KmsDouble } from '../../kms-double/server.ts';
import type { Issued, Page, Recorded, Verdict } from '../interop/answers.ts';
import type { CallError, GrpcClient } from '../interop/grpc-js-client.ts';
import { dial } from '../interop/grpc-js-client.ts';
import { runMain, type ServiceProcess, startService } from '../support/service-process.ts';
import { SOON } from '../support/soon.ts';
import { kmsSettings, REGION, startAliasedDouble } from './kms-alias.ts';

const AUTHORITY = 'ect.v1.AuthorityService';
const AUDIENCE = 'urn:example:reviewer';
const SECRET = 'canary-secret-4c17';
const SESSION = 'canary-session-90be';

const startDouble = () => startAliasedDouble({ credentials: { accessKeyId: 'AKIDTEST', secretAccessKey: SECRET } });

const settingsFor = (double: KmsDouble) => ({
  ...kmsSettings(double),
  ECT_LOG_LEVEL: 'debug',
  AWS_SESSION_TOKEN: SESSION,
});

const order = { exec_act: 'review', aud: [AUDIENCE] };

const issue = (client: GrpcClient, more = {}) => client.call<Issued>(`${AUTHORITY}/Issue`, { ...order, ...more });

async function rejectionOf(call: Promise<unknown>): Promise<CallError> {
  return call.then(
    () => {
      throw new Error('the call was expected to fail');
    },
    (error: CallError) => error,
  );
}

/** What health says of the whole instance and of Issue, and what the page says. */
async function readiness({ url }: ServiceProcess, client: GrpcClient) {
  const page = await fetch(`${url}/readyz`);
  const { methods } = (await page.json()) as { methods: Record<string, boolean> };
  const check = async (service: string) =>
    (await client.call<{ status: string }>('grpc.health.v1.Health/Check', { service })).status;
  return [page.status, methods[`${AUTHORITY}/Issue`], await check(''), await check(`${AUTHORITY}/Issue`)];
}

const READY = [200, true, 'SERVING', 'SERVING'];
const ALL_BUT_ISSUE = [200, false, 'SERVING', 'NOT_SERVING'];

test('D1 D2 D5 while KMS fails only Issue fails, with a reason and readiness of its own, and it comes back by itself', async () => {
  const double = await startDouble();
  const key = double.keys.find(REGION, 'alias/ect');
  await using service = await startService(settingsFor(double));
  using client = dial(service.address);
  const { token } = await issue(client);
  expect(await readiness(service, client)).toEqual(READY);

  double.script.add({ kind: 'error', name: 'KMSInternalException' }, { operation: 'Sign' });
  const unavailable = await rejectionOf(issue(client));
  expect([unavailable.code, unavailable.reason]).toEqual([codes.UNAVAILABLE, 'SIGNER_UNAVAILABLE']);
  // In the words of a start without the key.
  expect(unavailable.message).toContain(
    'The signing key cannot be used in AWS KMS (KMSInternalException: it answers that it cannot now; check its health and the quota).',
  );
  await rejectionOf(issue(client));
  expect(await readiness(service, client)).toEqual(ALL_BUT_ISSUE);
  const missing = async () =>
    /^ect_signing_key_missing (\d)$/m.exec(await (await fetch(`${service.url}/metrics`)).text())?.[1];
  await expect.poll(missing, SOON).toBe('1');
  expect(service.events('signing-key-missing')).toHaveLength(1);
  const verify = { token, audience: AUDIENCE };
  expect(await client.call<Verdict>(`${AUTHORITY}/Verify`, verify)).toMatchObject({ valid: true });
  expect(await client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token })).toMatchObject({ duplicate: false });
  double.script.clear();
  await until(async () => (await readiness(service, client))[1] === true);
  await issue(client);
  await expect.poll(missing, SOON).toBe('0');
  expect(service.events('signing-key-opened')).toHaveLength(1);

  key.state = 'Disabled';
  const misconfigured = await rejectionOf(issue(client));
  expect([misconfigured.code, misconfigured.reason]).toEqual([codes.FAILED_PRECONDITION, 'SIGNER_MISCONFIGURED']);
  expect(misconfigured.message).not.toContain(key.keyId);
  expect(await readiness(service, client)).toEqual(ALL_BUT_ISSUE);
  key.state = 'Enabled';
  await until(async () => (await readiness(service, client))[1] === true);
  await issue(client);

  expect(await service.stop()).toBe(0);
  expect(service.events('signer-region-down').map(({ region, reason }) => [region, reason])).toEqual([
    [REGION, 'SIGNER_UNAVAILABLE'],
    [REGION, 'SIGNER_MISCONFIGURED'],
  ]);
  expect(service.events('signer-region-back')).toHaveLength(2);
  // The log says more than the rejection.
  const causes = service.events('dependency-failed').map(({ reason, causes }) => [reason, JSON.stringify(causes)]);
  expect(causes).toEqual([
    ['SIGNER_UNAVAILABLE', expect.stringContaining('KMSInternalException')],
    ['SIGNER_UNAVAILABLE', expect.stringContaining('KMSInternalException')],
    ['SIGNER_MISCONFIGURED', expect.stringContaining('enable the key')],
  ]);
});

test('D4 a response that is lost after signing is requested again: one token, one entry', async () => {
  const double = await startDouble();
  await using service = await startService(settingsFor(double));
  using client = dial(service.address);
  const before = double.count('Sign');
  double.script.add({ kind: 'lost' }, { operation: 'Sign', times: 1 });
  const jti = '6fb2c0de-6d4e-4c5e-9c5a-2f0a3a1f7f10';
  const issued = await issue(client, { jti, level: 'LEVEL_L3', request_id: 'once' });
  expect(double.count('Sign') - before).toBe(2);
  expect(issued.claims.jti).toBe(jti);
  const again = await issue(client, { jti, level: 'LEVEL_L3', request_id: 'once' });
  expect(again.token).toBe(issued.token);
  const { entries } = await client.call<Page>('ect.v1.LedgerService/ListEntries', {});
  expect(entries.flatMap(({ task }) => task?.name.jti ?? [])).toEqual([jti]);
});

test('D3 a signature of something else never becomes a token: SIGNER_BAD_OUTPUT', async () => {
  const double = await startDouble();
  await using service = await startService(settingsFor(double));
  using client = dial(service.address);
  double.script.add({ kind: 'other-digest' }, { operation: 'Sign' });
  const rejection = await rejectionOf(issue(client, { level: 'LEVEL_L3' }));
  expect([rejection.code, rejection.reason]).toEqual([codes.UNAVAILABLE, 'SIGNER_BAD_OUTPUT']);
  const { entries } = await client.call<Page>('ect.v1.LedgerService/ListEntries', {});
  expect(entries.flatMap(({ task }) => task?.name.jti ?? [])).toEqual([]);
});

test('D8 what is beyond the limit of calls at once is SIGNER_BUSY', async () => {
  const double = await startDouble();
  await using service = await startService({ ...settingsFor(double), ECT_KMS_CONCURRENCY: '2' });
  using client = dial(service.address);
  // Time enough for all ten to arrive before the first is signed, on a busy machine too.
  double.script.add({ kind: 'delay', ms: 500 }, { operation: 'Sign' });
  const results = await Promise.allSettled(Array.from({ length: 10 }, () => issue(client)));
  const refusals = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason as CallError);
  expect(refusals.map(({ code, reason }) => [code, reason])).toEqual(Array(8).fill([codes.UNAVAILABLE, 'SIGNER_BUSY']));
});

test('D2 D6 D7 a start with a key of the wrong kind, or another key than before, ends with what to do and exit code 1', async () => {
  const double = await startDouble();
  const settings = settingsFor(double);
  await using service = await startService(settings);
  expect(await service.stop()).toBe(0);
  const inVain = (more = {}) =>
    runMain(['serve'], { ...settings, ECT_DATA_DIR: service.dataDir, ECT_LISTEN: '127.0.0.1:0', ...more });

  const { keyId: wrong } = double.keys.create(REGION, 'ECC_NIST_P384', 'SIGN_VERIFY', false);
  expect(await inVain({ ECT_KMS_KEY: wrong })).toMatchObject({
    code: 1,
    stdout: '',
    stderr: `The key of ECT_KMS_KEY cannot be used (SIGNER_MISCONFIGURED). The key of ECT_KMS_KEY in ${REGION} is not on P-256: make one of spec ECC_NIST_P256.\n`,
  });

  const other = double.keys.create(REGION, 'ECC_NIST_P256', 'SIGN_VERIFY', false);
  double.keys.updateAlias(REGION, 'alias/ect', other.keyId);
  const moved = await inVain();
  expect([moved.code, moved.stdout]).toEqual([1, '']);
  expect(moved.stderr).toMatch(/^ECT_KMS_KEY is another key .*: point it back, or remove .*kms-key\.json/m);

  await rm(join(service.dataDir, 'kms-key.json'));
  await service.restart();
  expect(JSON.parse(await readFile(join(service.dataDir, 'kms-key.json'), 'utf8'))).toMatchObject({
    keyId: other.keyId,
  });
  expect(await service.stop()).toBe(0);
});

test('D2 D9 a start with a disabled key, or with credentials that KMS rejects, continues, and an event says what to do', async () => {
  const double = await startDouble();
  const settings = { ...settingsFor(double), AWS_SECRET_ACCESS_KEY: 'canary-other-2b9a' };
  await using stranger = await startService(settings);
  using client = dial(stranger.address);
  expect(await readiness(stranger, client)).toEqual(ALL_BUT_ISSUE);
  expect((await rejectionOf(issue(client))).message).toContain('give the service AWS credentials that are valid');
  expect(await stranger.stop()).toBe(0);
  expect(JSON.stringify(stranger.events('keys-failed'))).toContain('credentials that are valid, and check its clock');
  expect(stranger.stderr()).not.toMatch(/canary-other/);

  double.keys.find(REGION, 'alias/ect').state = 'Disabled';
  await using service = await startService(settingsFor(double));
  using other = dial(service.address);
  expect((await rejectionOf(issue(other))).message).toContain('it is disabled: enable it');
  double.keys.find(REGION, 'alias/ect').state = 'Enabled';
  await until(async () => (await readiness(service, other))[1] === true);
  await issue(other);
});

test('S1 S4 no credential, passphrase or key is ever in the log, the metrics, an error or what a start in vain says', async () => {
  const double = await startDouble();
  await using service = await startService(settingsFor(double));
  using client = dial(service.address);
  const said: string[] = [];
  const faults = ['AccessDeniedException', 'ExpiredTokenException', 'KMSInternalException'] as const;
  for (const name of faults) {
    double.script.add({ kind: 'error', name }, { operation: 'Sign', times: 3 });
    const { message, info } = await rejectionOf(issue(client));
    said.push(message, JSON.stringify(info));
    double.script.clear();
    await until(async () => (await readiness(service, client))[1] === true);
  }
  said.push(await (await fetch(`${service.url}/metrics`)).text());
  expect(await service.stop()).toBe(0);

  const keyFile = join(service.dataDir, 'locked.pem');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const passphrase = 'canary-words-77aa';
  const locked = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }).toString();
  await writeFile(keyFile, locked, { mode: 0o600 });
  const local = {
    ECT_LISTEN: '127.0.0.1:0',
    ECT_LOG_LEVEL: 'debug',
    ECT_LOCAL_KEY_FILE: keyFile,
  };
  const wrong = await runMain(['serve'], {
    ...local,
    ECT_LOCAL_KEY_PASSPHRASE: 'canary-wrong-words',
    ECT_DATA_DIR: service.dataDir,
  });
  expect(wrong).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('does not open with the passphrase'),
  });
  await using own = await startService({ ...local, ECT_LOCAL_KEY_PASSPHRASE: passphrase });
  using ownClient = dial(own.address);
  expect((await issue(ownClient)).token).not.toBe('');
  expect(await own.stop()).toBe(0);

  said.push(service.stderr(), service.stdout(), wrong.stderr, own.stderr(), own.stdout());
  const { d = '' } = createPrivateKey({ key: locked, passphrase }).export({ format: 'jwk' });
  for (const secret of ['canary', SECRET, SESSION, d, double.credentials.accessKeyId]) {
    expect(said.join('\n')).not.toContain(secret);
  }
  // It was talkative, or the search would prove nothing.
  expect(service.events('dependency-failed')).toHaveLength(3);
  expect((await stat(join(service.dataDir, 'kms-key.json'))).mode & 0o077).toBe(0);
});

/** Waits until something is so. The test's own time limit ends it otherwise. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(20);
}
