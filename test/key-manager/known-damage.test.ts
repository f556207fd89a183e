// A process that starts over a ledger of which damage is known takes no index at its word: an entry that it does not lead to
// may be a revocation.

import { describe, expect, test } from 'vitest';
import type { LedgerRecord, LedgerStore, RecordQuery } from '../../src/ledger/index.ts';
import { GuardedLedgerStore } from '../../src/stores/guarded-ledger-store.ts';
import { candidatesOf } from '../support/candidates.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { openKeyManager, share, startKeyManager } from '../support/key-manager.ts';

const order = { by: 'admin', note: '' };

/** Its indexes lead to nothing; what is asked for by its place is found. */
class LostIndexes extends FaultyStore {
  override find = async (): Promise<LedgerRecord | undefined> => undefined;
  override lookUp = async (_: string, names: readonly string[]) => names.map(() => undefined);
  override list = async (query: RecordQuery): Promise<readonly LedgerRecord[]> =>
    query.scope === undefined && query.author === undefined ? this.inner.list(query) : [];
}

const damage = { isFound: () => true, found: () => undefined };
const damaged = (store: LedgerStore) => new GuardedLedgerStore(new LostIndexes(store), damage);

describe('L7 K9 where damage of the ledger is known', () => {
  /** A history in which the first key was revoked and another is in force, with tasks in between. */
  async function history() {
    const shared = share();
    const { keyManager, ledger } = await startKeyManager(shared);
    await Promise.all(candidatesOf(600).map((candidate) => ledger.append(candidate)));
    await keyManager.revoke({ kid: keyManager.signingKid, ...order });
    await keyManager.rotate({ ...order, nextKey: '', urgent: true });
    const all = keyManager.all;
    await keyManager.close();
    return { shared, all };
  }

  test('a start finds each key and each change of one, and says that it read everything', async () => {
    const { shared, all } = await history();
    const { keyManager, failures } = await openKeyManager(
      { ...shared, store: damaged(shared.store) },
      { configured: 'test:1' },
    );
    expect(keyManager.all).toEqual(all);
    expect(keyManager.all.map(({ state }) => state)).toEqual(['revoked', 'active']);
    expect(keyManager.signingKid).toBe(all[1]?.kid);
    expect(failures.map(String)).toEqual(['Error: Every entry about keys was read: damage of the ledger is known.']);
    await keyManager.refresh();
    expect(failures).toHaveLength(1);
    expect((await keyManager.list({ startIndex: 0, limit: 10, past: false })).keys).toEqual(all);
  });

  test('that a key is none is not said', async () => {
    const { shared } = await history();
    const { keyManager } = await openKeyManager({ ...shared, store: damaged(shared.store) }, { configured: 'test:1' });
    await expect(keyManager.findPastKey('x'.repeat(43))).rejects.toMatchObject({ reason: 'LEDGER_CORRUPT' });
  });

  test('a running process continues to read entries of other processes', async () => {
    const { shared, all } = await history();
    const { keyManager } = await openKeyManager(shared, { configured: 'test:1' });
    const { keyManager: other } = await openKeyManager(
      { ...shared, store: damaged(shared.store) },
      { configured: 'test:1' },
    );
    await keyManager.revoke({ kid: keyManager.signingKid, ...order });
    await other.refresh();
    expect(other.all.map(({ state }) => state)).toEqual(['revoked', 'revoked']);
    expect(other.all.map(({ kid }) => kid)).toEqual(all.map(({ kid }) => kid));
  });
});
