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

test('D8: 50 calls a second for 3 s against answers after 200 ms: what is admitted is signed, the rest is rejected', async () => {
  const kms = await startKms();
  const signer = await openSigner(kms, { concurrency: 8 });
  kms.double.script.add({ kind: 'delay', ms: 200 }, { operation: 'Sign' });
  const signing: Promise<unknown>[] = [];
  const startMs = performance.now();
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      signing.push(signer.sign(INPUT, forever));
      signing.at(-1)!.catch(() => undefined);
      if (signing.length < 150) return;
      clearInterval(timer);
      resolve();
    }, 20);
  });
  const rounds = (performance.now() - startMs) / 200;
  const reasons = (await Promise.allSettled(signing)).map(reasonOf);
  const signed = reasons.filter((reason) => reason === 'signed').length;
  expect(signed).toBeGreaterThanOrEqual(40);
  // Eight places, five times a second: for three seconds, or for longer where the timer of a busy machine is late.
  expect(signed).toBeLessThanOrEqual(8 * (rounds + 1));
  expect(reasons.filter((reason) => reason === 'SIGNER_BUSY')).toHaveLength(150 - signed);
  expect(kms.double.mostAtOnce()).toBeLessThanOrEqual(8);
});

test('D1: within the quota KMS never throttles, and what is beyond it is SIGNER_BUSY', async () => {
  const kms = await startKms({ requestsPerSecond: 100 });
  const signer = await openSigner(kms, { requestsPerSecond: 95, timing: { attempts: 1, maxWaitMs: 250 } });
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
