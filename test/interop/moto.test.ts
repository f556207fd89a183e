// AWS KMS as others understand it: the suite of every signer against moto's server. What differs from AWS, and so is tested
// with our own double only: moto does not check the signatures of requests, signs with keys that are disabled or
// pending deletion, never throttles, and GetPublicKey answers a bare key id in place of an ARN. It also hashes digests
// once more, which moto/server.py fixes.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DisableKeyCommand,
  KMSClient,
  UpdateAliasCommand,
} from '@aws-sdk/client-kms';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AwsKmsSigner } from '../../src/signers/aws-kms/index.ts';
import { signerContract } from '../contracts/signer.ts';
import { describeWhen } from '../support/need.ts';
import { startService } from '../support/service-process.ts';
import type { Issued } from './answers.ts';
import { dial } from './grpc-js-client.ts';

const REGION = 'eu-central-1';
const PYTHON = fileURLToPath(new URL('../../.venv-moto/bin/python', import.meta.url));
const MOTO = fileURLToPath(new URL('moto/server.py', import.meta.url));
const isThere = spawnSync(PYTHON, ['-c', 'import moto.server'], { stdio: 'ignore' }).status === 0;

let server: ChildProcess;
let endpoint: string;
let client: KMSClient;

async function startMoto(port = '0'): Promise<void> {
  server = spawn(PYTHON, [MOTO, '--host', '127.0.0.1', '--port', port], { stdio: ['ignore', 'ignore', 'pipe'] });
  for await (const line of createInterface({ input: server.stderr! })) {
    const url = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(line)?.[1];
    if (url === undefined) continue;
    endpoint = url;
    break;
  }
  // What it says of each request is read away, or it would stop at a full pipe.
  server.stderr!.resume();
}

async function stopMoto(): Promise<void> {
  if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
  const ended = once(server, 'exit');
  server.kill('SIGKILL');
  await ended;
}

async function makeKey(): Promise<string> {
  const { KeyMetadata } = await client.send(
    new CreateKeyCommand({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }),
  );
  return KeyMetadata!.KeyId!;
}

const open = (key: string) =>
  AwsKmsSigner.open({
    key,
    regions: [REGION],
    endpoint,
    requestsPerSecond: 100_000,
    concurrency: 100,
    timing: { callMs: 20_000 },
  });

describeWhen(isThere, 'moto', 'moto: run test/interop/moto/setup.sh', () => {
  beforeAll(async () => {
    process.env['AWS_ACCESS_KEY_ID'] = 'nobody';
    process.env['AWS_SECRET_ACCESS_KEY'] = 'nothing';
    await startMoto();
    client = new KMSClient({ region: REGION, endpoint });
  });

  afterAll(async () => {
    client?.destroy();
    await stopMoto();
  });

  signerContract('AwsKmsSigner over moto', async () => {
    const signer = await open(await makeKey());
    return { signer, dispose: async () => signer.close() };
  });

  test('D9: a service that starts while moto is away serves, and issues once it is there', async () => {
    await stopMoto();
    await using service = await startService({
      ECT_SIGNER: 'kms',
      ECT_KMS_KEY: 'alias/late',
      ECT_KMS_REGION: REGION,
      ECT_KMS_ENDPOINT: endpoint,
      AWS_ACCESS_KEY_ID: 'nobody',
      AWS_SECRET_ACCESS_KEY: 'nothing',
    });
    using caller = dial(service.address);
    const issue = () => caller.call<Issued>('ect.v1.AuthorityService/Issue', { exec_act: 'a', aud: ['urn:example:b'] });
    await expect(issue()).rejects.toMatchObject({ reason: 'SIGNER_UNAVAILABLE' });
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
    await startMoto(new URL(endpoint).port);
    await client.send(new CreateAliasCommand({ AliasName: 'alias/late', TargetKeyId: await makeKey() }));
    await expect.poll(issue, { timeout: 60_000, interval: 200 }).toMatchObject({ kid: expect.any(String) });
    expect(await service.stop()).toBe(0);
  });

  test('D6: an alias that moves is rejected', async () => {
    const [first, second] = [await makeKey(), await makeKey()];
    await client.send(new CreateAliasCommand({ AliasName: 'alias/ect', TargetKeyId: first }));
    const signer = await open('alias/ect');
    expect(signer.pin.keyId).toBe(first);
    await client.send(new UpdateAliasCommand({ AliasName: 'alias/ect', TargetKeyId: second }));
    const signing = signer.sign(Buffer.from('input'), new AbortController());
    await expect(signing).rejects.toMatchObject({ reason: 'SIGNER_MISCONFIGURED' });
    signer.close();
  });

  test('D2: a key that is disabled, of another kind or not there is rejected at the start', async () => {
    const disabled = await makeKey();
    await client.send(new DisableKeyCommand({ KeyId: disabled }));
    await expect(open(disabled)).rejects.toThrow('is disabled: enable it');
    const { KeyMetadata } = await client.send(new CreateKeyCommand({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' }));
    await expect(open(KeyMetadata!.KeyId!)).rejects.toThrow('is not on P-256');
    await expect(open('alias/nobody')).rejects.toThrow('NotFoundException');
  });
});
