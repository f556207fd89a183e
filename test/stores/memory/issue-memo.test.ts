// The issue memo in memory: the contract, and its bound.

import { expect, test } from 'vitest';
import { MemoryIssueMemo } from '../../../src/stores/memory/index.ts';
import { issueMemoContract } from '../../contracts/issue-memo.ts';

issueMemoContract('MemoryIssueMemo', async () => {
  const memo = new MemoryIssueMemo(2_000);
  return { memo, dispose: () => memo.close() };
});

test('full of keys that count, the memo refuses a new one with IDEMPOTENCY_UNAVAILABLE and keeps the old', async () => {
  const memo = new MemoryIssueMemo(1);
  const issued = { requestDigest: new Uint8Array(32), token: 'one' };
  await memo.remember('ada', 'first', issued, 10, 0);
  const refused = memo.remember('ada', 'second', issued, 20, 10);
  await expect(refused).rejects.toMatchObject({ reason: 'IDEMPOTENCY_UNAVAILABLE' });
  expect(await memo.recall('ada', 'first', 10)).toEqual(issued);
  expect(await memo.remember('ada', 'second', issued, 20, 11)).toEqual(issued);
});
