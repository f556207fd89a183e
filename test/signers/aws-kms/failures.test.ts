// What AWS KMS does wrong, over real HTTP, and what comes of it. No signature leaves that does not verify. Calls that are not answered
// are in hangs.test.ts.

import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Fault } from '../../../kms-double/faults.ts';
import { EctError } from '../../../src/errors.ts';
import { ALGORITHMS } from '../../../src/keys/index.ts';
import type { AwsKmsSigner } from '../../../src/signers/aws-kms/index.ts';
import { forever, openSigner, REGION, SECOND_REGION, startKms, useCredentials } from './support.ts';

const INPUT = Buffer.from('input');

async function failureOf(signing: Promise<unknown>): Promise<EctError> {
  const error: unknown = await signing.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(EctError);
  return error as EctError;
}

function holds({ publicKey }: AwsKmsSigner, signature: Uint8Array): boolean {
  return ALGORITHMS.get('ES256')!.verify(publicKey, INPUT, signature);
}

const html = (status: number): Fault => ({ kind: 'page', status, type: 'text/html', body: '<html>busy</html>' });

const PASSING: readonly (readonly [string, Fault])[] = [
  ['is throttled', { kind: 'error', name: 'ThrottlingException' }],
  ['is over a limit', { kind: 'error', name: 'LimitExceededException' }],
  ['fails inside', { kind: 'error', name: 'KMSInternalException' }],
  ['waits for what it depends on', { kind: 'error', name: 'DependencyTimeoutException' }],
  ['has no access to the key', { kind: 'error', name: 'KeyUnavailableException' }],
  ['is down', { kind: 'error', name: 'ServiceUnavailable' }],
  ['is behind a gateway that answers 502', html(502)],
  ['is behind a gateway that answers 429', html(429)],
  ['cuts the connection', { kind: 'reset' }],
  ['cuts the connection once it has signed', { kind: 'lost' }],
];

describe.each(PASSING)('D1: KMS %s', (_, fault) => {
  test('twice: the third attempt signs', async () => {
    const kms = await startKms();
    const signer = await openSigner(kms);
    const before = kms.double.count('Sign');
    kms.double.script.add(fault, { operation: 'Sign', times: 2 });
    expect(holds(signer, await signer.sign(INPUT, forever))).toBe(true);
    expect(kms.double.count('Sign') - before).toBe(3);
    expect(signer.isReady()).toBe(true);
  });

  test('for good: SIGNER_UNAVAILABLE after three attempts', async () => {
    const kms = await startKms();
    const signer = await openSigner(kms);
    const before = kms.double.count('Sign');
    kms.double.script.add(fault, { operation: 'Sign' });
    const { reason, message } = await failureOf(signer.sign(INPUT, forever));
    expect(reason).toBe('SIGNER_UNAVAILABLE');
    expect(message).toMatch(
      /^The signing key cannot be used in AWS KMS \(\w+: it (?:does not answer; check the network|answers that it cannot now; check its health) .+\)\.$/,
    );
    expect(kms.double.count('Sign') - before).toBe(3);
  });
});

test('D1: nothing listens where KMS was: SIGNER_UNAVAILABLE', async () => {
  const kms = await startKms();
  const signer = await openSigner(kms);
  await kms.double[Symbol.asyncDispose]();
  expect((await failureOf(signer.sign(INPUT, forever))).reason).toBe('SIGNER_UNAVAILABLE');
});

test('D1: retries end with the time of the caller', async () => {
  const kms = await startKms();
  const signer = await openSigner(kms, { timing: { callMs: 60_000 } });
  kms.double.script.add({ kind: 'hang' }, { operation: 'Sign' });
  const tooLate = new DOMException('too late', 'TimeoutError');
  const controller = new AbortController();
  const signing = failureOf(signer.sign(INPUT, controller));
  await until(() => kms.double.count('Sign') === 2);
  controller.abort(tooLate);
  expect((await signing).reason).toBe('DEADLINE_EXCEEDED');
  // A caller who goes is no sign that KMS is ill.
  expect(signer.isReady()).toBe(true);
});

test.each([
  ['disabled', 'DisabledException'],
  ['pending deletion', 'KMSInvalidStateException'],
  ['not there', 'NotFoundException'],
  ['not for us', 'AccessDeniedException'],
  ['for another use', 'InvalidKeyUsageException'],
  ['of another type', 'UnsupportedOperationException'],
  ['named wrongly', 'ValidationException'],
  ['asked for with expired credentials', 'ExpiredTokenException'],
] as const)('D2: the key is %s (%s): SIGNER_MISCONFIGURED at once, and Issue is not ready', async (_, name) => {
  const kms = await startKms();
  const signer = await openSigner(kms);
  const before = kms.double.count('Sign');
  kms.double.script.add({ kind: 'error', name }, { operation: 'Sign' });
  const first = await failureOf(signer.sign(INPUT, forever));
  expect(first.reason).toBe('SIGNER_MISCONFIGURED');
  // The caller learns nothing of accounts, roles and keys; the operator learns what to do.
  expect(first.message).toMatch(new RegExp(`^The signing key cannot be used in AWS KMS \\(${name}: [^/]+\\)\\.$`));
  expect(String(first.cause)).toMatch(new RegExp(`^KmsFailure: Sign in ${REGION}: ${name}, .*: .+\\.$`));
  expect(signer.isReady()).toBe(false);
  // The next call is rejected without a request to KMS, and the log is not filled with the same cause.
  const second = await failureOf(signer.sign(INPUT, forever));
  expect([second.reason, second.cause]).toEqual(['SIGNER_MISCONFIGURED', undefined]);
  expect(kms.double.count('Sign') - before).toBe(1);
});

test('D2: credentials that are taken away are SIGNER_MISCONFIGURED', async () => {
  const kms = await startKms();
  useCredentials({ ...kms.double.credentials, secretAccessKey: 'canary-secret' });
  const error: unknown = await openSigner(kms).catch((thrown: unknown) => thrown);
  expect(String(error)).toMatch(/^KmsKeyError: .*\(SIGNER_MISCONFIGURED\).*InvalidSignatureException.*credentials/);
  expect(String(error)).not.toContain('canary');
});

const WRONG: readonly (readonly [string, Fault])[] = [
  ['HTML with 200', html(200)],
  ['an empty page', { kind: 'page', status: 200, type: 'application/json', body: '' }],
  ['no object', { kind: 'page', status: 200, type: 'application/json', body: '[]' }],
  ['null', { kind: 'page', status: 200, type: 'application/json', body: 'null' }],
  ['half an object', { kind: 'page', status: 200, type: 'application/json', body: '{"KeyId":"a' }],
  ['a redirection', { kind: 'page', status: 301, type: 'application/json', body: '{}' }],
  ['no signature', { kind: 'answer', members: { Signature: undefined } }],
  ['an empty signature', { kind: 'answer', members: { Signature: '' } }],
  ['a signature that is a number', { kind: 'answer', members: { Signature: 12 } }],
  ['a signature that is no base64', { kind: 'answer', members: { Signature: '%%%' } }],
  ['a short signature', { kind: 'answer', members: { Signature: 'MAYCAQECAQE=' } }],
  ['no name of a key', { kind: 'answer', members: { KeyId: undefined } }],
  ['a name of a key that is a number', { kind: 'answer', members: { KeyId: 5 } }],
  ['a good signature of something else', { kind: 'other-digest' }],
];

test.each(WRONG)('D3: KMS answers %s: SIGNER_BAD_OUTPUT, once, and it is not asked again', async (_, fault) => {
  const kms = await startKms();
  const signer = await openSigner(kms);
  const before = kms.double.count('Sign');
  kms.double.script.add(fault, { operation: 'Sign' });
  const { reason, message } = await failureOf(signer.sign(INPUT, forever));
  expect(reason).toBe('SIGNER_BAD_OUTPUT');
  expect(message).toBe('The key service returned a signature that does not verify.');
  expect(kms.double.count('Sign') - before).toBe(1);
});

test('D3: a high s is lowered: it is the same signature', async () => {
  const kms = await startKms();
  const signer = await openSigner(kms);
  kms.double.script.add({ kind: 'high-s' }, { operation: 'Sign' });
  const signature = await signer.sign(INPUT, forever);
  expect(holds(signer, signature)).toBe(true);
  expect(signature[32]).toBeLessThan(0x80);
});

test('D3: five bad answers in a row open the breaker: KMS is left alone until a trial succeeds', async () => {
  const kms = await startKms();
  const signer = await openSigner(kms, { timing: { trialMs: 20 } });
  kms.double.script.add({ kind: 'other-digest' }, { operation: 'Sign', times: 8 });
  for (let at = 0; at < 5; at++) {
    expect(signer.isReady()).toBe(true);
    expect((await failureOf(signer.sign(INPUT, forever))).reason).toBe('SIGNER_BAD_OUTPUT');
  }
  expect(signer.isReady()).toBe(false);
  expect((await failureOf(signer.sign(INPUT, forever))).reason).toBe('SIGNER_BAD_OUTPUT');
  await until(() => signer.isReady());
  expect(holds(signer, await signer.sign(INPUT, forever))).toBe(true);
});

test('D5: a key that is disabled and enabled is followed within the interval of trials', async () => {
  const kms = await startKms();
  const signer = await openSigner(kms, { timing: { trialMs: 20 } });
  for (let flip = 0; flip < 3; flip++) {
    kms.key.state = 'Disabled';
    expect((await failureOf(signer.sign(INPUT, forever))).reason).toBe('SIGNER_MISCONFIGURED');
    expect(signer.isReady()).toBe(false);
    kms.key.state = 'Enabled';
    await until(() => signer.isReady());
    expect(holds(signer, await signer.sign(INPUT, forever))).toBe(true);
  }
});

test('D5: a key that flickers under load never gives a bad signature, and all signs at the end', async () => {
  const kms = await startKms();
  const signer = await openSigner(kms, { timing: { trialMs: 10 } });
  const outcomes = new Map<string, number>();
  for (let round = 0; round < 30; round++) {
    kms.key.state = round % 2 === 0 ? 'Enabled' : 'Disabled';
    const signing = Array.from({ length: 10 }, () => signer.sign(INPUT, forever));
    for (const result of await Promise.allSettled(signing)) {
      const name = result.status === 'fulfilled' ? String(holds(signer, result.value)) : result.reason.reason;
      outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
    }
    await pause(5);
  }
  expect([...outcomes.keys()].sort()).toEqual(['SIGNER_MISCONFIGURED', 'true']);
  kms.key.state = 'Enabled';
  await until(() => signer.isReady());
  expect(holds(signer, await signer.sign(INPUT, forever))).toBe(true);
});

test('D5: an idle signer learns that its key was disabled without being asked to sign', async () => {
  const kms = await startKms();
  const signer = await openSigner(kms, { timing: { trialMs: 10, idleMs: 20 } });
  kms.key.state = 'Disabled';
  await until(() => !signer.isReady());
});

test('D6: an alias that is pointed to another key is rejected, not followed, until it is pointed back', async () => {
  const kms = await startKms();
  const signer = await openSigner(kms, { timing: { trialMs: 20 } });
  const { keys } = kms.double;
  const other = keys.create(REGION, 'ECC_NIST_P256', 'SIGN_VERIFY', false);
  keys.updateAlias(REGION, 'alias/ect', other.keyId);
  const failure = await failureOf(signer.sign(INPUT, forever));
  expect(failure.reason).toBe('SIGNER_MISCONFIGURED');
  expect(String(failure.cause)).toContain(`is another key (${other.keyId}) than at the start (${kms.key.keyId})`);
  expect(signer.isReady()).toBe(false);
  keys.updateAlias(REGION, 'alias/ect', kms.key.keyId);
  await until(() => signer.isReady());
  expect(holds(signer, await signer.sign(INPUT, forever))).toBe(true);
});

describe('a multi-Region key', () => {
  async function startTwoRegions() {
    const kms = await startKms();
    kms.double.keys.replicate(kms.key, SECOND_REGION);
    kms.double.keys.createAlias(SECOND_REGION, 'alias/ect', kms.key.keyId);
    return { kms, signer: await openSigner(kms, { regions: [REGION, SECOND_REGION] }) };
  }

  test.each(PASSING)('D1: where KMS %s in one region, the other signs under the same kid', async (_, fault) => {
    const { kms, signer } = await startTwoRegions();
    kms.double.script.add(fault, { operation: 'Sign', region: REGION });
    const { kid } = signer.jwk;
    expect(holds(signer, await signer.sign(INPUT, forever))).toBe(true);
    expect(signer.jwk.kid).toBe(kid);
  });

  test('D2: a replica that is disabled is passed over, and then not asked', async () => {
    const { kms, signer } = await startTwoRegions();
    kms.key.state = 'Disabled';
    expect(holds(signer, await signer.sign(INPUT, forever))).toBe(true);
    const before = kms.double.count('Sign');
    expect(holds(signer, await signer.sign(INPUT, forever))).toBe(true);
    expect(kms.double.count('Sign') - before).toBe(1);
    expect(signer.isReady()).toBe(true);
  });

  test('D3: bad output in one region does not leave: the other signs', async () => {
    const { kms, signer } = await startTwoRegions();
    kms.double.script.add({ kind: 'other-digest' }, { operation: 'Sign', region: REGION });
    expect(holds(signer, await signer.sign(INPUT, forever))).toBe(true);
  });

  test('D1: where every region fails, the rejection is of the one that may recover', async () => {
    const { kms, signer } = await startTwoRegions();
    kms.key.state = 'Disabled';
    kms.double.script.add({ kind: 'reset' }, { operation: 'Sign', region: SECOND_REGION });
    expect((await failureOf(signer.sign(INPUT, forever))).reason).toBe('SIGNER_UNAVAILABLE');
  });
});

/** Waits until something is so. The test's own time limit ends it otherwise. */
async function until(holdsNow: () => boolean): Promise<void> {
  let isOver = false;
  onTestFinished(() => {
    isOver = true;
  });
  while (!holdsNow() && !isOver) await pause(2);
}
