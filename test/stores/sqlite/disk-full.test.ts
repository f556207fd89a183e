// A disk that is really full: a small file system of its own, filled by the store itself. Needs root, for the mount.

import { expect, test } from 'vitest';
import { SqliteLedgerStore, SqliteReplayGuard } from '../../../src/stores/sqlite/index.ts';
import { checkStore } from '../../support/check-store.ts';
import { candidate, EMPTY_HEAD, honestSeal } from '../../support/honest-seal.ts';
import { describeWhen } from '../../support/need.ts';
import { CAN_MOUNT, NEED_TO_MOUNT, smallDisk } from '../../support/small-disk.ts';

describeWhen(CAN_MOUNT, 'L15: a disk without space', NEED_TO_MOUNT, () => {
  // The write fails in different places: in the write-ahead file, in its index, while pages are moved to the main file.
  test.each([6, 9, 14, 20, 21, 23, 28, 40])(
    'of %i MiB: the ledger rejects whole batches, and goes on when there is some',
    async (size) => {
      await using disk = await smallDisk(size);
      const store = SqliteLedgerStore.open(disk.file('ledger.db'));
      await store.initialise(EMPTY_HEAD, 'test+key');
      const commit = (name: string) => store.commit([candidate(name, { content: 'x'.repeat(50_000) })], honestSeal());
      const kept: string[] = [];
      let rejection: unknown;
      for (let turn = 0; rejection === undefined && turn < 20_000; turn++) {
        await commit(`task ${turn}`).then(
          () => kept.push(`task ${turn}`),
          (error: unknown) => {
            rejection = error;
          },
        );
      }
      expect(rejection).toMatchObject({ reason: 'STORAGE_FULL' });
      await expect(commit('again')).rejects.toMatchObject({ reason: 'STORAGE_FULL' });
      expect((await checkStore(store)).map(({ name }) => name)).toEqual(kept);
      disk.makeSpace();
      await commit('after');
      await store.close();

      const reopened = SqliteLedgerStore.openReadOnly(disk.file('ledger.db'));
      expect((await checkStore(reopened)).map(({ name }) => name)).toEqual([...kept, 'after']);
      await reopened.close();
    },
  );

  test('the replay guard rejects, remembers what it answered, and goes on when there is some', async () => {
    await using disk = await smallDisk(8);
    const guard = SqliteReplayGuard.open(disk.file('once.db'));
    const [now, end] = [1_000, 2_000];
    const use = (jti: string) => ({
      audience: 'urn:a',
      iss: 'urn:b',
      wid: '',
      jti,
      iat: 1_000,
      digest: new Uint8Array(32),
      signingInput: 'x'.repeat(10_000),
      requestId: '',
    });
    let taken = 0;
    const flood = async () => {
      for (; taken < 5_000; taken++) await guard.claim(use(String(taken)), end, now);
    };
    await expect(flood()).rejects.toMatchObject({ reason: 'STORAGE_FULL' });
    expect(await guard.look(use('0'), now)).toBe('replayed');
    expect(await guard.look(use(String(taken - 1)), now)).toBe('replayed');
    expect(await guard.look(use(String(taken)), now)).toBe('fresh');
    disk.makeSpace();
    expect(await guard.claim(use(String(taken)), end, now)).toBe('fresh');
    await guard.close();
  });
});
