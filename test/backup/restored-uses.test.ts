// A token that was used before the backup was made stays used after a restore, whatever the directory had forgotten meanwhile.

import { readdirSync } from 'node:fs';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filesIn } from '../../src/data-directory/data-dir.ts';
import { addMissingKeys, SqliteIdempotencyStore, SqliteReplayGuard } from '../../src/stores/sqlite/index.ts';
import { ect } from '../cli/run.ts';
import { dial } from '../interop/grpc-js-client.ts';
import { startService } from '../support/service-process.ts';
import { type Installation, issueRecorded, makeInstallation, use } from './installation.ts';
import { makeLedger } from './ledgers.ts';

let made: Installation;
let backup = '';
beforeAll(async () => {
  made = await makeInstallation();
  backup = made.path('backup');
  expect(await ect(['backup', backup, '--data-dir', made.dataDir])).toMatchObject({ code: 0 });
});
afterAll(() => made[Symbol.asyncDispose]());

async function restoring(dataDir: string) {
  const { code, out } = await ect(['restore', backup, '--data-dir', dataDir, '--json', '--replace', '--yes']);
  return { code, reported: JSON.parse(out) };
}

async function forgetUses(dataDir: string): Promise<void> {
  for (const name of readdirSync(dataDir)) if (name.startsWith('once.db')) await rm(join(dataDir, name));
}

describe('L19 a restore lets no used token in again', () => {
  /** Each makes a directory whose `once.db` is sound and does not know the use. */
  const targets: readonly (readonly [string, (dataDir: string) => Promise<unknown>])[] = [
    [
      'the memory of uses was deleted and begun anew',
      async (dataDir) => {
        await cp(made.dataDir, dataDir, { recursive: true });
        await forgetUses(dataDir);
        await using service = await startService({ ECT_DATA_DIR: dataDir });
        await service.stop();
      },
    ],
    [
      'there is only the memory of uses of another ledger',
      async (dataDir) => {
        await mkdir(dataDir);
        await SqliteIdempotencyStore.open(filesIn(dataDir).once).close();
      },
    ],
  ];
  test.each(targets)('where %s', async (_, make) => {
    const dataDir = made.path('data');
    await make(dataDir);
    const { code, reported } = await restoring(dataDir);
    expect([code, reported.stayed[0]]).toEqual([0, 'once.db']);
    // The use, and the keys of five tasks.
    expect(reported.added).toBe(6);
    await using service = await startService({ ECT_DATA_DIR: dataDir });
    using client = dial(service.address);
    expect(await use(client, made.used.token)).toMatchObject({ finding: { reason: 'ERROR_REASON_TOKEN_REPLAYED' } });
    expect((await issueRecorded(client, made.used.key)).token).toBe(made.used.token);
    await service.stop();
  });

  test.each(['missing', 'junk'])(
    'over another ledger whose key is %s, by what the ledger itself names',
    async (key) => {
      const dataDir = made.path('other');
      await makeLedger(dataDir, 2);
      const dir = filesIn(dataDir);
      await rm(dir.ledgerKey);
      await rm(dir.mark, { force: true });
      if (key === 'junk') await writeFile(dir.ledgerKey, 'junk\n', { mode: 0o600 });
      const before = readdirSync(dataDir).filter((name) => !name.startsWith('owner.'));
      const { code, reported } = await restoring(dataDir);
      expect([code, reported.error?.reason]).toEqual([1, 'other_ledger']);
      expect(reported.error.message).toContain('ect.local/ledger/');
      expect(readdirSync(dataDir).filter((name) => !name.startsWith('owner.'))).toEqual(before);
    },
  );

  test('of two rows under one key the one that is kept longer stays, and none is lost', async () => {
    const [mine, theirs] = [made.path('mine.db'), made.path('theirs.db')];
    const useOf = (jti: string) => ({
      audience: 'a',
      iss: 'i',
      wid: 'w',
      jti,
      iat: 50,
      digest: Buffer.alloc(32),
      requestId: '',
      signingInput: '',
    });
    const claims: readonly (readonly [string, string, number])[] = [
      [mine, 'mine', 100],
      [mine, 'both', 100],
      [mine, 'longer', 300],
      [theirs, 'theirs', 100],
      [theirs, 'both', 200],
      [theirs, 'longer', 200],
    ];
    for (const [path, jti, keepUntil] of claims) {
      const guard = SqliteReplayGuard.open(path, () => 0);
      expect(await guard.claim(useOf(jti), keepUntil, 0)).toBe('fresh');
      await guard.close();
    }
    expect(await addMissingKeys(mine, theirs)).toBe(2);
    expect(await addMissingKeys(mine, theirs)).toBe(0);
    const guard = SqliteReplayGuard.open(mine, () => 0);
    for (const [jti, keptUntil] of [
      ['mine', 100],
      ['both', 200],
      ['longer', 300],
      ['theirs', 100],
    ] as const) {
      expect(await guard.look(useOf(jti), keptUntil), jti).toBe('replayed');
      expect(await guard.look(useOf(jti), keptUntil + 1), jti).toBe('fresh');
    }
    await guard.close();
  });
});
