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

test('a request that has waited in vain counts no longer', async () => {
  const slots = new RequestSlots(1, 5);
  await slots.enter('heavy', signal);
  for (let nth = 0; nth < 10; nth++) expect(await slots.enter('light', signal)).toBe(false);
  const waiting = slots.enter('light', signal);
  slots.leave('heavy');
  expect(await waiting).toBe(true);
});

test('a caller that is alone is rejected at once where all slots are its own, also if they are few', async () => {
  const slots = new RequestSlots(1, 60_000);
  expect(await slots.enter('a', signal)).toBe(true);
  expect(await slots.enter('a', signal)).toBe(false);
});

test('the number of requests that wait is bounded, however many callers there are', async () => {
  const slots = new RequestSlots(1, 60_000);
  await slots.enter('heavy', signal);
  const ending = new AbortController();
  const waiting = Array.from({ length: 256 }, (_, nth) => slots.enter(`caller ${nth}`, ending.signal));
  expect(await slots.enter('another', signal)).toBe(false);
  ending.abort();
  expect(new Set(await Promise.all(waiting))).toEqual(new Set([false]));
});

test('a caller has its share among all callers, and so more than a few if there are few callers', async () => {
  const slots = new RequestSlots(20, 60_000);
  for (let nth = 0; nth < 20; nth++) await slots.enter('heavy', signal);
  const waiting = Array.from({ length: 10 }, () => slots.enter('light', signal));
  expect(await slots.enter('light', signal)).toBe(false);
  for (let nth = 0; nth < 10; nth++) slots.leave('heavy');
  expect(await Promise.all(waiting)).toEqual(Array(10).fill(true));
  const few = Array.from({ length: 6 }, (_, nth) => slots.enter(`caller ${nth % 2}`, signal));
  for (let nth = 0; nth < 6; nth++) slots.leave('heavy');
  expect(await Promise.all(few)).toEqual(Array(6).fill(true));
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
  const signer = await openSigner(kms, { requestsPerSecond: 40, concurrency: 100, timing: { maxWaitMs: 1000 } });
  let isOver = false;
  const flood = Array.from({ length: 60 }, async () => {
    while (!isOver) {
      await signer.sign(INPUT, forever, 'heavy').catch(() => undefined);
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
  });
  for (let nth = 0; nth < 4; nth++) expect(await signer.sign(INPUT, forever, 'light')).toHaveLength(64);
  isOver = true;
  await Promise.all(flood);
});
