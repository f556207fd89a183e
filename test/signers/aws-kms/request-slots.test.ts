// Who gets the requests that may be open at once: each caller its share, whatever the others do.

import { expect, test } from 'vitest';
import { RequestSlots } from '../../../src/signers/aws-kms/request-slots.ts';
import { forever, openSigner, startKms } from './support.ts';

const INPUT = Buffer.from('input');
const { signal } = forever;

test('H17: a caller with less than its share gets the next free slot; one that has it is rejected at once', async () => {
  const slots = new RequestSlots(8, 60_000);
  for (let nth = 0; nth < 8; nth++) expect(await slots.enter('heavy', signal)).toBe(true);
  const light = slots.enter('light', signal);
  expect(await slots.enter('heavy', signal)).toBe(false);
  slots.leave('heavy');
  expect(await light).toBe(true);
  expect(await slots.enter('heavy', signal)).toBe(false);
});

test('a slot that is free again is taken by anyone', async () => {
  const slots = new RequestSlots(1, 60_000);
  for (const caller of ['a', 'b', 'a']) {
    expect(await slots.enter(caller, signal)).toBe(true);
    slots.leave(caller);
  }
});

test('a call that ends while it waits leaves its place, and so does one that has waited for long', async () => {
  const slots = new RequestSlots(1, 5);
  await slots.enter('heavy', signal);
  const ending = new AbortController();
  const ended = slots.enter('a', ending.signal);
  ending.abort();
  expect(await ended).toBe(false);
  expect(await slots.enter('b', signal)).toBe(false);
  slots.leave('heavy');
  expect(await slots.enter('c', signal)).toBe(true);
});

test('H17: beside a caller with any number of calls, all signatures of another are made while KMS is slow', async () => {
  const kms = await startKms();
  const signer = await openSigner(kms, { concurrency: 4 });
  kms.double.script.add({ kind: 'delay', ms: 20 }, { operation: 'Sign' });
  let isOver = false;
  const flood = Array.from({ length: 20 }, async () => {
    while (!isOver) {
      await signer.sign(INPUT, forever, 'heavy').catch(() => undefined);
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
  });
  for (let nth = 0; nth < 20; nth++) expect(await signer.sign(INPUT, forever, 'light')).toHaveLength(64);
  isOver = true;
  await Promise.all(flood);
});

test('H17: beside a caller that uses up the quota of a second, all signatures of another are made', async () => {
  const kms = await startKms();
  const signer = await openSigner(kms, { requestsPerSecond: 60, concurrency: 100, timing: { maxWaitMs: 400 } });
  let isOver = false;
  const flood = Array.from({ length: 30 }, async () => {
    while (!isOver) {
      await signer.sign(INPUT, forever, 'heavy').catch(() => undefined);
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
  });
  for (let nth = 0; nth < 8; nth++) expect(await signer.sign(INPUT, forever, 'light')).toHaveLength(64);
  isOver = true;
  await Promise.all(flood);
});
