import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { EctError, reject } from '../../src/errors.ts';
import { AppendQueue } from '../../src/ledger/append-queue.ts';
import { candidateOf, candidatesOf } from '../support/candidates.ts';

test('commits never overlap, and each takes all that came meanwhile', async () => {
  let running = 0;
  const sizes: number[] = [];
  const queue = new AppendQueue<string>(async (batch) => {
    expect(++running).toBe(1);
    sizes.push(batch.length);
    // While this one runs, two more ask.
    if (sizes.length < 3) for (const candidate of candidatesOf(2)) void queue.add(candidate);
    await nextTurn();
    await nextTurn();
    running -= 1;
    for (const { candidate, resolve } of batch) resolve(candidate.name);
  }, 256);
  expect(await queue.add(candidateOf('first'))).toBe('first');
  await queue.drain();
  expect(sizes).toEqual([1, 2, 2]);
});

test('after a commit of several, the next one waits for as many, or for 2 ms', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const sizes: number[] = [];
    const queue = new AppendQueue<string>(async (batch) => {
      sizes.push(batch.length);
      for (const { candidate, resolve } of batch) resolve(candidate.name);
    }, 256);
    const addAll = (count: number) => Promise.all(candidatesOf(count).map((candidate) => queue.add(candidate)));
    await addAll(3);
    // They come back one by one, and share a commit all the same.
    const again: Promise<string>[] = [];
    for (const candidate of candidatesOf(3)) {
      await nextTurn();
      await nextTurn();
      again.push(queue.add(candidate));
    }
    await Promise.all(again);
    expect(sizes).toEqual([3, 3]);
    const alone = queue.add(candidateOf('alone'));
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    expect(sizes).toEqual([3, 3]);
    await vi.advanceTimersByTimeAsync(2);
    expect(await alone).toBe('alone');
    // Who was alone the last time waits for nobody.
    expect(await queue.add(candidateOf('alone again'))).toBe('alone again');
    expect(sizes).toEqual([3, 3, 1, 1]);
  } finally {
    vi.useRealTimers();
  }
});

test('a commit waits for those who were answered and for those who came meanwhile, as long as they keep coming', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const sizes: number[] = [];
    const meanwhile: Promise<string>[] = [];
    const queue = new AppendQueue<string>(async (batch) => {
      sizes.push(batch.length);
      if (sizes.length === 1) for (const candidate of candidatesOf(2)) meanwhile.push(queue.add(candidate));
      for (const { candidate, resolve } of batch) resolve(candidate.name);
    }, 256);
    await Promise.all(candidatesOf(4).map((candidate) => queue.add(candidate)));
    await nextTurn();
    await nextTurn();
    // The 2 ms are over, but this process is busy: every turn of the event loop brings another of the four.
    vi.advanceTimersByTime(2);
    for (const candidate of candidatesOf(4)) {
      meanwhile.push(queue.add(candidate));
      await nextTurn();
    }
    await Promise.all(meanwhile);
    expect(sizes).toEqual([4, 6]);
  } finally {
    vi.useRealTimers();
  }
});

test('a failed commit rejects its unsettled appends, and the queue continues', async () => {
  const failure = new Error('half way');
  const queue = new AppendQueue<string>(async ([first, second]) => {
    first?.resolve('settled');
    if (second !== undefined) throw failure;
  }, 256);
  const [first, second] = await Promise.allSettled([queue.add(candidateOf('a')), queue.add(candidateOf('b'))]);
  expect(first).toEqual({ status: 'fulfilled', value: 'settled' });
  expect(second).toEqual({ status: 'rejected', reason: failure });
  expect(await queue.add(candidateOf('c'))).toBe('settled');
});

test('L16 a reason that is a rejection already is passed on as it is', async () => {
  const queue = new AppendQueue<string>(async () => {}, 256);
  const draining = new EctError(reject('SERVICE_DRAINING', 'The service is stopping.'));
  await expect(queue.add(candidateOf('a'), AbortSignal.abort(draining))).rejects.toBe(draining);
});

test('a limit that is no whole number from 1 is a bug of the caller', () => {
  for (const limit of [0, -1, 1.5, Number.NaN]) {
    expect(() => new AppendQueue<string>(async () => {}, limit)).toThrow(TypeError);
  }
});
