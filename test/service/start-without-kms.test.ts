// The process starts while AWS KMS is away, hangs, denies or throttles: it serves what needs no signature, says why nothing is
// issued, and issues again by itself.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Recorded, Verdict } from '../interop/answers.ts';
import { dial } from '../interop/grpc-js-client.ts';
import { FULL } from '../support/full.ts';
import { runMain, startService } from '../support/service-process.ts';
import {
  ALL,
  ALL_BUT_ISSUE,
  AUDIENCE,
  AUTHORITY,
  FAULTS,
  issue,
  Kms,
  keySet,
  readiness,
  rejectionOf,
  sizeOf,
  until,
  whole,
} from './faulty-kms.ts';

const SIGNING = ['direct', 'two-tier'] as const;
const WORKERS = [1, 2] as const;
/** Each fault with both ways to sign, and with both numbers of workers. */
const CASES = Object.keys(FAULTS).flatMap((fault, at) =>
  SIGNING.map((signing, of) => ({ fault, signing, workers: WORKERS[(at + of) % 2]! })),
);
const FEW = CASES.filter(({ fault, signing }) => fault.startsWith('denies with') && signing === 'direct');

test.each(FULL ? CASES : FEW)(
  'D9 KMS $fault at the start ($signing, workers: $workers): all but Issue is served, and Issue by itself later',
  async ({ fault, signing, workers }) => {
    const [fail, words] = FAULTS[fault]!;
    const kms = await Kms.start();
    await using service = await startService({
      ...kms.settings,
      ECT_SIGNING: signing,
      ECT_WORKERS: String(workers),
      ECT_JWKS_MAX_AGE_SEC: '60',
    });
    const earlier = dial(service.address);
    const [token, unrecorded] = [(await issue(earlier)).token, (await issue(earlier)).token];
    earlier[Symbol.dispose]();
    const { kids } = await keySet(service);
    expect(await service.stop()).toBe(0);

    await fail(kms);
    // It starts although KMS does not come back.
    await service.restart();
    using client = dial(service.address);
    expect(await readiness(service, client)).toEqual(ALL_BUT_ISSUE);
    const sizeBefore = await sizeOf(client);
    const { code, message, details } = await rejectionOf(service);
    expect([code, details[0]?.debug?.reason]).toEqual(['unavailable', 'SIGNER_UNAVAILABLE']);
    expect(details.map(({ type }) => type)).toContain('google.rpc.RetryInfo');
    expect(message).toMatch(/^The signing key of ECT_KMS_KEY cannot be opened in AWS KMS \(/);
    expect(message).toMatch(words);
    expect(message).not.toMatch(/eu-central-1|arn:|[0-9a-f]{8}-[0-9a-f]{4}-/);
    // Whatever needs no signature of the key.
    expect((await keySet(service)).kids).toEqual(expect.arrayContaining([...kids]));
    const verify = { token, audience: AUDIENCE };
    expect(await client.call<Verdict>(`${AUTHORITY}/Verify`, verify)).toMatchObject({ valid: true });
    const recorded = await client.call<Recorded>(`${AUTHORITY}/AppendLedger`, { token: unrecorded });
    expect(recorded).toMatchObject({ duplicate: false });
    expect(await client.call(`${AUTHORITY}/ValidateDAG`, { bundle: { tokens: [token] } })).toMatchObject({
      dag_report: { status: 'DAG_STATUS_COMPLETE' },
    });
    expect((await fetch(`${service.url}/.well-known/ect-authority`)).status).toBe(200);
    await until(() => service.events('keys-failed').length >= 2 * workers);
    // What is tried again and again leaves nothing in the ledger, and does not spin.
    expect(await sizeOf(client)).toBe(sizeBefore + 1);
    expect(service.events('keys-failed').length).toBeLessThan(8 * workers);
    expect(service.events('signing-key-missing')).toHaveLength(workers);

    await kms.comeBack();
    await whole(service, client, workers);
    expect(await readiness(service, client)).toEqual(ALL);
    expect((await issue(client)).kid).not.toBe('');
    if (signing === 'direct') expect(await sizeOf(client)).toBe(sizeBefore + 1);
    expect(service.events('signing-key-opened')).toHaveLength(workers);
    expect(service.stderr()).not.toContain(kms.settings['AWS_SECRET_ACCESS_KEY']);
    expect(await service.stop()).toBe(0);
  },
  240_000,
);

test.runIf(FULL)(
  'D9 the first start of all without KMS: an empty key set that nobody may keep, and the first key signs as soon as it is there',
  async () => {
    const kms = await Kms.start();
    await kms.leave();
    await using service = await startService({ ...kms.settings, ECT_SIGNING: 'two-tier' });
    using client = dial(service.address);
    expect(await readiness(service, client)).toEqual(ALL_BUT_ISSUE);
    expect(await keySet(service)).toEqual({ kids: [], kept: 'no-store' });
    expect(await client.call('ect.v1.KeyService/GetKeySet', {})).toMatchObject({
      keys: [],
      max_age: { seconds: '0', nanos: 0 },
    });
    expect(await rejectionOf(service)).toMatchObject({ code: 'unavailable' });
    await kms.comeBack();
    await whole(service, client, 1);
    const { token, kid } = await issue(client);
    expect((await keySet(service)).kids).toContain(kid);
    const verify = { token, audience: AUDIENCE };
    expect(await client.call<Verdict>(`${AUTHORITY}/Verify`, verify)).toMatchObject({ valid: true });
    expect(await service.stop()).toBe(0);
  },
);

test.runIf(FULL)(
  'D6 D7 D9 KMS comes back with another key under the name: nothing signs, and the log says what to do',
  async () => {
    const kms = await Kms.start();
    await using service = await startService(kms.settings);
    expect(await service.stop()).toBe(0);
    await kms.leave();
    await service.restart();
    const other = kms.double.keys.create('eu-central-1', 'ECC_NIST_P256', 'SIGN_VERIFY', false);
    kms.double.keys.updateAlias('eu-central-1', 'alias/ect', other.keyId);
    await kms.comeBack();
    const said = () => service.events('keys-failed').map(({ causes }) => JSON.stringify(causes));
    await until(() => said().some((cause) => cause.includes('is another key')));
    expect(await rejectionOf(service)).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('it is not the key of before'),
    });
    expect(await service.stop()).toBe(0);
  },
);

test.runIf(FULL)(
  'D9 a name that KMS does not know stops the first start, and no start of a ledger that has used it',
  async () => {
    const kms = await Kms.start();
    const folder = await mkdtemp(join(tmpdir(), 'ect-first-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const settings = { ...kms.settings, ECT_DATA_DIR: join(folder, 'data'), ECT_LISTEN: '127.0.0.1:0' };
    expect(await runMain(['serve'], { ...settings, ECT_KMS_KEY: 'alias/typo' })).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/NotFoundException.*: correct ECT_KMS_KEY and ECT_KMS_REGION\.\n/),
    });
    await using service = await startService(kms.settings);
    expect(await service.stop()).toBe(0);
    kms.double.script.add({ kind: 'error', name: 'NotFoundException' });
    await service.restart();
    expect(await rejectionOf(service)).toMatchObject({ message: expect.stringContaining('NotFoundException') });
    kms.double.script.clear();
    using client = dial(service.address);
    await whole(service, client, 1);
    expect(await service.stop()).toBe(0);
  },
);

test.runIf(FULL)(
  'D9 SIGUSR2 while KMS is away: a worker that cannot sign does not take the place of one that can',
  async () => {
    const kms = await Kms.start();
    await using service = await startService({ ...kms.settings, ECT_WORKERS: '2' });
    // The key cannot be opened, and who has it open signs on.
    kms.double.script.add({ kind: 'error', name: 'KMSInternalException' }, { operation: 'DescribeKey' });
    process.kill(service.pid, 'SIGUSR2');
    await until(() => service.events('worker-ended').length > 0);
    expect(service.events('worker-ended')).toMatchObject([{ worker: 1, how: 1, restarted: false }]);
    expect(service.stderr()).toContain('The key of ECT_KMS_KEY cannot be used (SIGNER_UNAVAILABLE)');
    for (let call = 0; call < 4; call++) {
      using fresh = dial(service.address);
      await issue(fresh);
    }
    expect(await service.stop()).toBe(0);
  },
);

test.runIf(FULL)(
  'D9 ect config check: KMS is asked with --kms only; there a KMS that does not answer is a problem, and it says that a start goes on',
  async () => {
    const kms = await Kms.start();
    await kms.leave();
    const folder = await mkdtemp(join(tmpdir(), 'ect-check-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const settings = { ...kms.settings, ECT_DATA_DIR: join(folder, 'data'), ECT_LISTEN: '127.0.0.1:0' };
    expect(await runMain(['config', 'check'], settings)).toMatchObject({ code: 0 });
    const { code, stderr, stdout } = await runMain(['config', 'check', '--kms'], settings);
    expect(code).toBe(2);
    expect(stdout + stderr).toMatch(
      /The key of ECT_KMS_KEY cannot be used \(SIGNER_UNAVAILABLE\)\. DescribeKey in eu-central-1: .*ECONNREFUSED.* starts without it/,
    );
  },
);
