// AWS KMS that answers nothing, or stops in the middle of an answer. Each test waits for the end of calls, all of them at the same time.

import { beforeAll, describe, expect, test } from 'vitest';
import { CREDENTIALS } from '../../../kms-double/server.ts';
import { ALGORITHMS } from '../../../src/keys/index.ts';
import { type AwsKmsOptions, AwsKmsSigner } from '../../../src/signers/aws-kms/index.ts';
import { forever, makeKms, optionsFor, REGION, SECOND_REGION, type TestKms } from './support.ts';

const INPUT = Buffer.from('input');
/** How long a call may take: long beside one that is answered, on a busy machine too. */
const CALL_MS = 1_500;

beforeAll(() => {
  process.env['AWS_ACCESS_KEY_ID'] = CREDENTIALS.accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = CREDENTIALS.secretAccessKey;
});

const HANGING = [
  ['hangs', { kind: 'hang' }],
  ['hangs in the middle of its answer', { kind: 'stall' }],
] as const;
const TWO_REGIONS = { regions: [REGION, SECOND_REGION] };

function open(kms: TestKms, changes: Partial<AwsKmsOptions> = {}): Promise<AwsKmsSigner> {
  return AwsKmsSigner.open(optionsFor(kms, { ...changes, timing: { callMs: CALL_MS, ...changes.timing } }));
}

interface Opened {
  readonly kms: TestKms;
  readonly signer: AwsKmsSigner;
}

/** Runs a test with a double and a signer of its own. */
async function withSigner(changes: Partial<AwsKmsOptions>, run: (opened: Opened) => Promise<void>): Promise<void> {
  const kms = await makeKms();
  await using _double = kms.double;
  kms.double.keys.replicate(kms.key, SECOND_REGION);
  kms.double.keys.createAlias(SECOND_REGION, 'alias/ect', kms.key.keyId);
  const signer = await open(kms, changes);
  try {
    await run({ kms, signer });
  } finally {
    signer.close();
  }
}

function holds({ publicKey }: AwsKmsSigner, signature: Uint8Array): boolean {
  return ALGORITHMS.get('ES256')!.verify(publicKey, INPUT, signature);
}

describe.concurrent.each(HANGING)('D1: KMS %s', (_, fault) => {
  test('twice: the third attempt signs', () =>
    withSigner({}, async ({ kms: { double }, signer }) => {
      const before = double.count('Sign');
      double.script.add(fault, { operation: 'Sign', times: 2 });
      expect(holds(signer, await signer.sign(INPUT, forever))).toBe(true);
      expect(double.count('Sign') - before).toBe(3);
      expect(signer.isReady()).toBe(true);
    }));

  test('for good: SIGNER_UNAVAILABLE after three attempts', () =>
    withSigner({}, async ({ kms: { double }, signer }) => {
      const before = double.count('Sign');
      double.script.add(fault, { operation: 'Sign' });
      await expect(signer.sign(INPUT, forever)).rejects.toMatchObject({
        reason: 'SIGNER_UNAVAILABLE',
        message: expect.stringMatching(/does not answer; check the network|answers that it cannot now/),
      });
      expect(double.count('Sign') - before).toBe(3);
    }));

  test('in one region: the other signs under the same kid', () =>
    withSigner(TWO_REGIONS, async ({ kms: { double }, signer }) => {
      double.script.add(fault, { operation: 'Sign', region: REGION });
      const { kid } = signer.jwk;
      expect(holds(signer, await signer.sign(INPUT, forever))).toBe(true);
      expect(signer.jwk.kid).toBe(kid);
    }));
});

describe.concurrent('D1: at the start', () => {
  test.each(['DescribeKey', 'GetPublicKey', 'Sign'])('%s that hangs three times is SIGNER_UNAVAILABLE', (operation) =>
    withSigner({}, async ({ kms }) => {
      kms.double.script.add({ kind: 'hang' }, { operation });
      await expect(open(kms)).rejects.toThrow(`(SIGNER_UNAVAILABLE). ${operation} in ${REGION}: `);
    }),
  );

  test.each(['DescribeKey', 'Sign'])('a region whose %s hangs is left for later, if another answers', (operation) =>
    withSigner({}, async ({ kms }) => {
      kms.double.script.add({ kind: 'hang' }, { operation, region: REGION });
      const signer = await open(kms, TWO_REGIONS);
      const before = kms.double.count('Sign');
      await expect(signer.sign(INPUT, forever)).resolves.toHaveLength(64);
      expect(kms.double.count('Sign') - before).toBe(1);
      signer.close();
    }),
  );
});

test.concurrent('D1: answers that stop half way hold no connection for ever', () =>
  // Two calls at once, so two connections at most: each stalled answer keeps one until it is given up.
  withSigner({ concurrency: 2, timing: { attempts: 1 } }, async ({ kms, signer }) => {
    kms.double.script.add({ kind: 'stall' }, { operation: 'Sign', times: 3 });
    for (let at = 0; at < 3; at++) {
      await expect(signer.sign(INPUT, forever)).rejects.toMatchObject({ reason: 'SIGNER_UNAVAILABLE' });
    }
    expect(holds(signer, await signer.sign(INPUT, forever))).toBe(true);
  }));
