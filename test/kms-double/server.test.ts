// The double does what AWS KMS does, or the tests that use it would prove nothing. The client is the SDK of AWS.

import { createHash, createPublicKey, verify } from 'node:crypto';
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  GetPublicKeyCommand,
  KMSClient,
  ReplicateKeyCommand,
  ScheduleKeyDeletionCommand,
  SignCommand,
  UpdateAliasCommand,
  VerifyCommand,
} from '@aws-sdk/client-kms';
import { expect, onTestFinished, test } from 'vitest';
import { type KmsDouble, type KmsDoubleOptions, startKmsDouble } from '../../kms-double/server.ts';

const REGION = 'eu-central-1';

interface Setup {
  readonly double: KmsDouble;
  readonly client: KMSClient;
}

function connect(double: KmsDouble, changes = {}): KMSClient {
  const client = new KMSClient({
    region: REGION,
    endpoint: double.url,
    credentials: double.credentials,
    maxAttempts: 1,
    ...changes,
  });
  onTestFinished(() => client.destroy());
  return client;
}

async function setUp(options: KmsDoubleOptions = {}): Promise<Setup> {
  const double = await startKmsDouble(options);
  onTestFinished(() => double[Symbol.asyncDispose]());
  return { double, client: connect(double) };
}

async function makeKey({ client }: Setup, more = {}): Promise<string> {
  const command = new CreateKeyCommand({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY', ...more });
  return (await client.send(command)).KeyMetadata!.KeyId!;
}

const signCommand = (KeyId: string, Message: Uint8Array, MessageType: 'RAW' | 'DIGEST' = 'RAW') =>
  new SignCommand({ KeyId, Message, MessageType, SigningAlgorithm: 'ECDSA_SHA_256' });

const rejectionOf = (sending: Promise<unknown>) =>
  sending.then(
    () => 'no rejection',
    (error: Error) => error.name,
  );

test('a message, and a digest as it stands, are signed with the key that GetPublicKey answers', async () => {
  const setup = await setUp();
  const { client } = setup;
  const KeyId = await makeKey(setup);
  const { PublicKey } = await client.send(new GetPublicKeyCommand({ KeyId }));
  const key = createPublicKey({ key: Buffer.from(PublicKey!), format: 'der', type: 'spki' });
  const message = Buffer.from('message');
  const raw = await client.send(signCommand(KeyId, message));
  const digest = await client.send(signCommand(KeyId, createHash('sha256').update(message).digest(), 'DIGEST'));
  expect(verify('sha256', message, key, raw.Signature!)).toBe(true);
  expect(verify('sha256', message, key, digest.Signature!)).toBe(true);
  expect(raw.KeyId).toMatch(new RegExp(`^arn:aws:kms:${REGION}:\\d{12}:key/${KeyId}$`));
});

test('about half of the signatures have a high s, as those of AWS', async () => {
  const setup = await setUp();
  const KeyId = await makeKey(setup);
  let high = 0;
  for (let at = 0; at < 60; at++) {
    const digest = createHash('sha256').update(String(at)).digest();
    const { Signature } = await setup.client.send(signCommand(KeyId, digest, 'DIGEST'));
    const rBytes = Signature![3]!;
    if (Signature![5 + rBytes] === 33) high++;
  }
  expect(high).toBeGreaterThan(10);
  expect(high).toBeLessThan(50);
});

test('messages of more than 4,096 bytes, digests of another length, other algorithms and other keys are rejected', async () => {
  const setup = await setUp();
  const { client } = setup;
  const KeyId = await makeKey(setup);
  const rejection = (command: SignCommand) => rejectionOf(client.send(command));
  expect(await rejection(signCommand(KeyId, Buffer.alloc(4096)))).toBe('no rejection');
  expect(await rejection(signCommand(KeyId, Buffer.alloc(4097)))).toBe('ValidationException');
  expect(await rejection(signCommand(KeyId, Buffer.alloc(31), 'DIGEST'))).toBe('ValidationException');
  const other = new SignCommand({ KeyId, Message: Buffer.alloc(48), SigningAlgorithm: 'ECDSA_SHA_384' });
  expect(await rejection(other)).toBe('InvalidKeyUsageException');
  const encrypting = await makeKey(setup, { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' });
  expect(await rejection(signCommand(encrypting, Buffer.alloc(1)))).toBe('InvalidKeyUsageException');
  expect(await rejection(signCommand('alias/nobody', Buffer.alloc(1)))).toBe('NotFoundException');
});

test('a key is disabled, enabled and scheduled for deletion; only describing it always works', async () => {
  const setup = await setUp();
  const { client } = setup;
  const KeyId = await makeKey(setup);
  const sign = () => rejectionOf(client.send(signCommand(KeyId, Buffer.alloc(1))));
  const state = async () => (await client.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata!.KeyState;
  await client.send(new DisableKeyCommand({ KeyId }));
  expect([await state(), await sign()]).toEqual(['Disabled', 'DisabledException']);
  expect(await rejectionOf(client.send(new GetPublicKeyCommand({ KeyId })))).toBe('DisabledException');
  await client.send(new EnableKeyCommand({ KeyId }));
  expect([await state(), await sign()]).toEqual(['Enabled', 'no rejection']);
  await client.send(new ScheduleKeyDeletionCommand({ KeyId }));
  expect([await state(), await sign()]).toEqual(['PendingDeletion', 'KMSInvalidStateException']);
  expect(await rejectionOf(client.send(new EnableKeyCommand({ KeyId })))).toBe('KMSInvalidStateException');
});

test('an alias stands for a key until it is moved; it is of one region, and given once', async () => {
  const setup = await setUp();
  const { double, client } = setup;
  const [first, second] = [await makeKey(setup), await makeKey(setup)];
  const alias = { AliasName: 'alias/ect' };
  const keyId = async () => (await client.send(new DescribeKeyCommand({ KeyId: 'alias/ect' }))).KeyMetadata!.KeyId;
  await client.send(new CreateAliasCommand({ ...alias, TargetKeyId: first }));
  expect(await keyId()).toBe(first);
  const again = new CreateAliasCommand({ ...alias, TargetKeyId: second });
  expect(await rejectionOf(client.send(again))).toBe('AlreadyExistsException');
  await client.send(new UpdateAliasCommand({ ...alias, TargetKeyId: second }));
  expect(await keyId()).toBe(second);
  const elsewhere = connect(double, { region: 'eu-west-1' });
  expect(await rejectionOf(elsewhere.send(new DescribeKeyCommand({ KeyId: 'alias/ect' })))).toBe('NotFoundException');
});

test('a multi-Region key has one id and one public key everywhere, and a state in each region', async () => {
  const setup = await setUp();
  const { double, client } = setup;
  const KeyId = await makeKey(setup, { MultiRegion: true });
  await client.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: 'eu-west-1' }));
  const elsewhere = connect(double, { region: 'eu-west-1' });
  await client.send(new DisableKeyCommand({ KeyId }));
  const { PublicKey, KeyId: arn } = await elsewhere.send(new GetPublicKeyCommand({ KeyId }));
  await client.send(new EnableKeyCommand({ KeyId }));
  expect(PublicKey).toEqual((await client.send(new GetPublicKeyCommand({ KeyId }))).PublicKey);
  expect(arn).toContain(`:eu-west-1:`);
  const single = await makeKey(setup);
  const replicate = new ReplicateKeyCommand({ KeyId: single, ReplicaRegion: 'eu-west-1' });
  expect(await rejectionOf(client.send(replicate))).toBe('UnsupportedOperationException');
});

test('a request that is not signed, or not as its credentials demand, is rejected', async () => {
  const { double } = await setUp();
  const describe = new DescribeKeyCommand({ KeyId: 'alias/ect' });
  const wrongSecret = { ...double.credentials, secretAccessKey: 'wrong' };
  expect(await rejectionOf(connect(double, { credentials: wrongSecret }).send(describe))).toBe(
    'InvalidSignatureException',
  );
  const nobody = { ...double.credentials, accessKeyId: 'AKIDNOBODY' };
  expect(await rejectionOf(connect(double, { credentials: nobody }).send(describe))).toBe(
    'UnrecognizedClientException',
  );
  const headers = { 'x-amz-target': 'TrentService.DescribeKey', 'content-type': 'application/x-amz-json-1.1' };
  const bare = await fetch(double.url, { method: 'POST', headers, body: '{}' });
  expect(await bare.json()).toMatchObject({ __type: 'MissingAuthenticationTokenException' });
  const broken = await fetch(double.url, {
    method: 'POST',
    headers: { ...headers, authorization: 'AWS4' },
    body: '{}',
  });
  expect(await broken.json()).toMatchObject({ __type: 'IncompleteSignature' });
});

test('a body that was changed after it was signed is rejected', async () => {
  const { double } = await setUp();
  const client = connect(double);
  const { requestHandler } = client.config;
  const send = requestHandler.handle.bind(requestHandler);
  requestHandler.handle = (request, options) => {
    request.body = new TextDecoder().decode(request.body).replace('alias/one', 'alias/two');
    return send(request, options);
  };
  expect(await rejectionOf(client.send(new DescribeKeyCommand({ KeyId: 'alias/one' })))).toBe(
    'InvalidSignatureException',
  );
});

test('a request of another time is rejected', async () => {
  const { double } = await setUp();
  const late = connect(double, { systemClockOffset: -6 * 60_000 });
  expect(await rejectionOf(late.send(new DescribeKeyCommand({ KeyId: 'x' })))).toBe('InvalidSignatureException');
  const inTime = connect(double, { systemClockOffset: -4 * 60_000 });
  expect(await rejectionOf(inTime.send(new DescribeKeyCommand({ KeyId: 'x' })))).toBe('NotFoundException');
});

test('what it does not know is rejected', async () => {
  const { client } = await setUp();
  const command = new VerifyCommand({
    KeyId: 'x',
    Message: Buffer.alloc(1),
    Signature: Buffer.alloc(1),
    SigningAlgorithm: 'ECDSA_SHA_256',
  });
  expect(await rejectionOf(client.send(command))).toBe('UnknownOperationException');
});

test('more requests in a second than its quota are throttled, in each region by itself', async () => {
  const { double, client } = await setUp({ requestsPerSecond: 5 });
  const ask = (from: KMSClient) => rejectionOf(from.send(new DescribeKeyCommand({ KeyId: 'x' })));
  const answers: string[] = [];
  for (let at = 0; at < 7; at++) answers.push(await ask(client));
  expect(answers).toEqual([...Array(5).fill('NotFoundException'), ...Array(2).fill('ThrottlingException')]);
  expect(await ask(connect(double, { region: 'eu-west-1' }))).toBe('NotFoundException');
});
