// The idempotency store in memory: the contract, and its bound.

import { expect, test } from 'vitest';
import { MemoryIdempotencyStore } from '../../../src/stores/memory/index.ts';
import { idempotencyStoreContract } from '../../contracts/idempotency-store.ts';

idempotencyStoreContract('MemoryIdempotencyStore', async () => {
  const memo = new MemoryIdempotencyStore(2_000);
  return { idempotency: memo, dispose: () => memo.close() };
});

test('full of keys that count, the memo rejects a new one with IDEMPOTENCY_UNAVAILABLE and keeps the old', async () => {
  const memo = new MemoryIdempotencyStore(1);
  const issued = { requestDigest: new Uint8Array(32), token: 'one' };
  await memo.remember('ada', 'first', issued, 10, 0);
  const rejected = memo.remember('ada', 'second', issued, 20, 10);
  await expect(rejected).rejects.toMatchObject({ reason: 'IDEMPOTENCY_UNAVAILABLE' });
  expect(await memo.findIssued('ada', 'first', 10)).toEqual(issued);
  expect(await memo.remember('ada', 'second', issued, 20, 11)).toEqual(issued);
});
