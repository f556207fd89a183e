// How much is asked of AWS KMS at once and in a second, and what becomes of the excess.

import { expect, test } from 'vitest';
import { forever, openSigner, REGION, SECOND_REGION, startKms } from './support.ts';

const INPUT = Buffer.from('input');

const reasonOf = (result: PromiseSettledResult<unknown>) =>
  result.status === 'fulfilled' ? 'signed' : (result.reason as { reason: string }).reason;

test('D8: while KMS is slow, at most so many calls are under way; the excess is SIGNER_BUSY at once', async () => {
  const kms = await startKms();
  const signer = await openSigner(kms, { concurrency: 4 });
  kms.double.script.add({ kind: 'delay', ms: 200 }, { operation: 'Sign' });
  const settled: string[] = [];
  const signing = Array.from({ length: 50 }, () =>
    signer.sign(INPUT, forever).then(
      () => settled.push('signed'),
      (error: { reason: string }) => settled.push(error.reason),
    ),
  );
  await Promise.all(signing);
  // The rejections came first, before KMS had answered anything.
  expect(settled).toEqual([...Array(46).fill('SIGNER_BUSY'), ...Array(4).fill('signed')]);
  expect(kms.double.mostAtOnce()).toBe(4);
  expect(signer.isReady()).toBe(true);
  await expect(signer.sign(INPUT, forever)).resolves.toHaveLength(64);
});

test('D8: a place is free again when its call has ended: round after round as many are signed, and the rest is rejected', async () => {
  const kms = await startKms();
  const signer = await openSigner(kms, { concurrency: 8 });
  for (let round = 0; round < 10; round++) {
    const signing = Array.from({ length: 15 }, () => signer.sign(INPUT, forever));
    const reasons = (await Promise.allSettled(signing)).map(reasonOf);
    expect(reasons).toEqual([...Array(8).fill('signed'), ...Array(7).fill('SIGNER_BUSY')]);
  }
  expect(kms.double.mostAtOnce()).toBeLessThanOrEqual(8);
});

// That no second has more calls than the quota is shown with a clock of the test's own, in rate-limit.test.ts.
test('D1: what finds no turn within the quota is SIGNER_BUSY, and KMS is not asked for it', async () => {
  const kms = await startKms();
  const signer = await openSigner(kms, {
    requestsPerSecond: 95,
    timing: { callMs: 60_000, attempts: 1, maxWaitMs: 250 },
  });
  const before = kms.double.count('Sign');
  const startMs = performance.now();
  const signing = Array.from({ length: 200 }, () => signer.sign(INPUT, forever));
  const askedForMs = performance.now() - startMs;
  const reasons = (await Promise.allSettled(signing)).map(reasonOf);
  const signed = reasons.filter((reason) => reason === 'signed').length;
  expect(new Set(reasons)).toEqual(new Set(['signed', 'SIGNER_BUSY']));
  // A burst of 9, and then as many as find their turn within a quarter of a second of being asked for.
  expect(signed).toBeGreaterThan(20);
  expect(signed).toBeLessThanOrEqual(Math.ceil(9 + (86 * (250 + askedForMs)) / 1000));
  expect(kms.double.count('Sign') - before).toBe(signed);
});

test('D1: the quota of the next region is used when that of the first is gone', async () => {
  const kms = await startKms();
  kms.double.keys.replicate(kms.key, SECOND_REGION);
  kms.double.keys.createAlias(SECOND_REGION, 'alias/ect', kms.key.keyId);
  const signer = await openSigner(kms, {
    regions: [REGION, SECOND_REGION],
    requestsPerSecond: 1,
    timing: { maxWaitMs: 0 },
  });
  const signing = Array.from({ length: 10 }, () => signer.sign(INPUT, forever));
  const signed = (await Promise.allSettled(signing)).map(reasonOf).filter((reason) => reason === 'signed');
  expect(signed).toHaveLength(2);
});
