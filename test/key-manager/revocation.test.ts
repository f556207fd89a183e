// Keys of the service that end: by revocation, by hand, and while the ledger fails.

import { describe, expect, test } from 'vitest';
import { EctError } from '../../src/errors.ts';
import type { KeyPage } from '../../src/key-manager/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { ISSUER } from '../support/authority.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { LEAD, openKeyManager, share } from '../support/key-manager.ts';
import { kidOf, mint, noKey, order, publishedKids, rejectionOf, states } from './tokens.ts';

describe('a ledger that fails', () => {
  test.each(['lost', 'landed'] as const)(
    'K8 a rotation whose entry is %s signs nothing before the ledger has it',
    async (fault) => {
      const store = new FaultyStore(new MemoryLedgerStore());
      const shared = share(store);
      const { keyManager } = await openKeyManager(shared);
      const old = kidOf(keyManager);
      store.plan(fault);
      await expect(keyManager.rotate(order)).rejects.toMatchObject({ reason: 'LEDGER_UNAVAILABLE' });
      expect(kidOf(keyManager)).toBe(old);
      expect(publishedKids(keyManager)).toEqual([old]);
      const { changed } = await keyManager.rotate(order);
      expect(changed).toBe(fault === 'lost');
      expect(states(keyManager)).toEqual(['active', 'announced']);
    },
  );

  test('K8 a key whose activation is lost does not sign: every kid of a token is active in the ledger', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const shared = share(store);
    const { keyManager, failures } = await openKeyManager(shared);
    const old = kidOf(keyManager);
    await keyManager.rotate(order);
    shared.clock.advance(LEAD);
    store.plan('lost');
    await keyManager.refresh();
    expect(kidOf(keyManager)).toBe(old);
    expect(failures).toHaveLength(1);
    await keyManager.refresh();
    expect(kidOf(keyManager)).not.toBe(old);
  });

  test('that cannot be read leaves the ring as it was, and is asked again', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const shared = share(store);
    const { keyManager, failures } = await openKeyManager(shared);
    store.failReads(true);
    await keyManager.refresh();
    expect(failures).toHaveLength(1);
    expect(keyManager.isReady()).toBe(true);
    store.failReads(false);
    await keyManager.rotate(order);
    expect(states(keyManager)).toEqual(['active', 'announced']);
  });

  test('K9 a key that was slipped into the table beside the tree is not trusted', async () => {
    const store = new MemoryLedgerStore();
    const shared = share(store);
    const { keyManager } = await openKeyManager(shared);
    const forged = await openKeyManager(share());
    const [entry] = await forged.ledger.list({ startIndex: 0, limit: 1, withContent: true });
    const slipped = { ...entry!, index: 2, name: 'root/1' };
    const list = store.list.bind(store);
    store.list = async (query) => [...(await list(query)), ...(query.startIndex <= 2 ? [slipped] : [])];
    await keyManager.refresh();
    expect(states(keyManager)).toEqual(['active']);
  });
});

describe('K9 revocation', () => {
  test('holds in every process as soon as it has looked at the ledger', async () => {
    const shared = share();
    const one = await openKeyManager(shared);
    const two = await openKeyManager(shared);
    const token = await mint(one, shared);
    const kid = kidOf(one.keyManager);
    await one.keyManager.revoke({ kid, by: 'admin', note: 'leaked' });
    expect(rejectionOf(one, shared, token)).toBe('KEY_REVOKED');
    expect(rejectionOf(two, shared, token)).toBeUndefined();
    await two.keyManager.refresh();
    expect(rejectionOf(two, shared, token)).toBe('KEY_REVOKED');
    for (const { keyManager } of [one, two]) {
      expect(() => kidOf(keyManager)).toThrow(noKey);
      expect(publishedKids(keyManager)).toEqual([]);
    }
  });

  test('a rotation that is urgent puts a new key in force at once', async () => {
    const shared = share();
    const process = await openKeyManager(shared);
    await process.keyManager.revoke({ kid: kidOf(process.keyManager), by: 'admin', note: '' });
    const { key } = await process.keyManager.rotate({ ...order, urgent: true });
    expect(kidOf(process.keyManager)).toBe(key.kid);
    expect(rejectionOf(process, shared, await mint(process, shared))).toBeUndefined();
  });

  test('evidence from before a compromise still counts, and none from after it', async () => {
    const shared = share();
    const process = await openKeyManager(shared);
    const token = await mint(process, shared);
    const before = shared.clock.now();
    shared.clock.advance(100);
    const since = shared.clock.nowMs();
    shared.clock.advance(100);
    await process.keyManager.revoke({ kid: kidOf(process.keyManager), by: 'admin', note: '' }, since);
    expect(rejectionOf(process, shared, token, before)).toBeUndefined();
    expect(rejectionOf(process, shared, token, before + 100)).toBe('KEY_REVOKED');
  });

  test('is repeated without harm, and never undone', async () => {
    const { keyManager } = await openKeyManager(share());
    const kid = kidOf(keyManager);
    expect(await keyManager.revoke({ kid, by: 'a', note: '' })).toMatchObject({ changed: true });
    expect(await keyManager.revoke({ kid, by: 'b', note: '' })).toMatchObject({ changed: false });
    await expect(keyManager.retire({ kid, by: 'a', note: '' })).rejects.toMatchObject({ reason: 'KEY_STATE_INVALID' });
  });
});

describe('retirement by hand', () => {
  test('of the key that signs is rejected: nothing would sign', async () => {
    const { keyManager } = await openKeyManager(share());
    const retiring = keyManager.retire({ kid: kidOf(keyManager), by: 'a', note: '' });
    await expect(retiring).rejects.toMatchObject({ reason: 'KEY_STATE_INVALID', metadata: { state: 'ACTIVE' } });
  });

  test('of a key that nobody knows is rejected', async () => {
    const { keyManager } = await openKeyManager(share());
    await expect(keyManager.retire({ kid: 'x', by: 'a', note: '' })).rejects.toThrow(EctError);
    await expect(keyManager.revoke({ kid: 'x', by: 'a', note: '' })).rejects.toMatchObject({ reason: 'KEY_NOT_FOUND' });
  });
});

test('choosing the signer makes nothing: the same object, at once', async () => {
  const { keyManager } = await openKeyManager(share());
  const first = keyManager.for(ISSUER, 'a');
  expect(first).not.toBeInstanceOf(Promise);
  expect(keyManager.for(ISSUER, 'b')).toBe(first);
});

test('K11 keys are listed in pages, each once, in the order in which they were announced', async () => {
  const shared = share();
  const { keyManager } = await openKeyManager(shared);
  for (let count = 0; count < 4; count++) await keyManager.rotate({ ...order, urgent: true });
  for (const past of [true, false]) {
    const kids: string[] = [];
    let startIndex: number | undefined = 0;
    while (startIndex !== undefined) {
      const page: KeyPage = await keyManager.list({ startIndex, limit: 2, past });
      expect(page.keys.length).toBeLessThanOrEqual(2);
      kids.push(...page.keys.map(({ kid }) => kid));
      startIndex = page.next;
    }
    expect(kids).toEqual(keyManager.all.map(({ kid }) => kid));
  }
});
