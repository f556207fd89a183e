// The idempotency store in SQLite: the contract, and the file that it shares with the replay guard.

import { expect, test } from 'vitest';
import { SqliteIdempotencyStore, SqliteReplayGuard } from '../../../src/stores/sqlite/index.ts';
import { idempotencyStoreContract } from '../../contracts/idempotency-store.ts';
import { tokenUse } from '../../contracts/replay-guard.ts';
import { makeFolder } from './folder.ts';

idempotencyStoreContract('SqliteIdempotencyStore', async () => {
  const folder = await makeFolder();
  const open = async () => SqliteIdempotencyStore.open(folder.file('once.db'));
  const memo = await open();
  return { idempotency: memo, open, dispose: () => memo.close().then(folder.remove) };
});

test('memo and replay guard work on one file at the same time, and neither sees what the other holds', async () => {
  const folder = await makeFolder();
  const memo = SqliteIdempotencyStore.open(folder.file('once.db'));
  const guard = SqliteReplayGuard.open(folder.file('once.db'));
  const issued = { requestDigest: new Uint8Array(32), token: 'token' };
  const turns = Array.from({ length: 100 }, async (_, n) => [
    await memo.remember('ada', `${n}`, issued, 20, 10),
    await guard.claim(tokenUse({ audience: 'ada', jti: `${n}` }), 20, 10),
  ]);
  expect(await Promise.all(turns)).toEqual(Array.from({ length: 100 }, () => [issued, 'fresh']));
  await memo.close();
  await guard.close();
  await folder.remove();
});
