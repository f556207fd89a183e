import { describe, expect, test } from 'vitest';
import type { KeyManager } from '../../src/key-manager/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { ISSUER } from '../support/authority.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { LEAD, LIFETIME, openKeyManager, SKEW, share } from '../support/key-manager.ts';
import { NOW } from '../support/tokens.ts';
import { kidOf, mint, noKey, order, publishedKids, rejectionOf, states } from './tokens.ts';

describe('the first start', () => {
  test('announces the key and makes it active at once, in the ledger before it signs', async () => {
    const shared = share();
    const { keyManager, ledger } = await openKeyManager(shared);
    expect(states(keyManager)).toEqual(['active']);
    expect(publishedKids(keyManager)).toEqual([kidOf(keyManager)]);
    const entries = await ledger.list({ startIndex: 0, limit: 10, withContent: false });
    expect(entries.map(({ name }) => name)).toEqual(['root/0', `${kidOf(keyManager)}/active`]);
  });

  test('of two processes at once makes one entry of each kind', async () => {
    const shared = share();
    const [one, two] = await Promise.all([openKeyManager(shared), openKeyManager(shared)]);
    expect(kidOf(one.keyManager)).toBe(kidOf(two.keyManager));
    expect(one.ledger.size).toBe(2);
  });

  test('with a ledger that does not answer is none: no key signs that the ledger has not announced', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const shared = share(store);
    store.plan('none', 'lost');
    await expect(openKeyManager(shared)).rejects.toMatchObject({ reason: 'LEDGER_UNAVAILABLE' });
  });

  test('a restart finds the ring again and adds nothing', async () => {
    const shared = share();
    const before = await openKeyManager(shared);
    const after = await openKeyManager(shared);
    expect(kidOf(after.keyManager)).toBe(kidOf(before.keyManager));
    expect(after.ledger.size).toBe(2);
  });
});

describe('K8 rotation', () => {
  test('K5 a key is published for the whole life of the key set before it signs, and the old one afterwards', async () => {
    const shared = share();
    const process = await openKeyManager(shared);
    const { keyManager } = process;
    const old = kidOf(keyManager);
    const token = await mint(process, shared);
    const { key, changed } = await keyManager.rotate(order);
    expect(changed).toBe(true);
    expect(kidOf(keyManager)).toBe(old);
    expect(publishedKids(keyManager)).toEqual([old, key.kid]);

    shared.clock.advance(LEAD - 1);
    await keyManager.refresh();
    expect([kidOf(keyManager), ...states(keyManager)]).toEqual([old, 'active', 'announced']);
    shared.clock.advance(1);
    await keyManager.refresh();
    expect([kidOf(keyManager), ...states(keyManager)]).toEqual([key.kid, 'retired', 'active']);
    expect(publishedKids(keyManager)).toEqual([old, key.kid]);
    expect(rejectionOf(process, shared, token)).toBeUndefined();
    expect(rejectionOf(process, shared, await mint(process, shared))).toBeUndefined();

    shared.clock.advance(LIFETIME + SKEW - 1);
    await keyManager.refresh();
    expect(publishedKids(keyManager)).toEqual([old, key.kid]);
    shared.clock.advance(1);
    await keyManager.refresh();
    expect(publishedKids(keyManager)).toEqual([key.kid]);
  });

  test('K5 a process that looks late gives its key set away for less, so that no copy outlives the lead of a key', async () => {
    const refreshMs = 10_000;
    const keySetMaxAgeMs = 280_000;
    const store = new FaultyStore(new MemoryLedgerStore());
    const shared = share(store);
    const [late, other] = [
      await openKeyManager(shared, { policy: { refreshMs, keySetMaxAgeMs } }),
      await openKeyManager(shared),
    ];
    expect(late.keyManager.keySetMaxAgeSeconds).toBe(280);
    // Announced right after the look of the late process, which signs 300 s from now.
    const { key } = await other.keyManager.rotate(order);
    store.failReads(true);
    for (const [seconds, left] of [
      [20, 280],
      [21, 279],
      [120, 180],
      [299, 1],
      [300, 0],
      [400, 0],
    ] as const) {
      shared.clock.advance(seconds - (shared.clock.now() - NOW));
      await late.keyManager.refresh();
      expect([seconds, late.keyManager.keySetMaxAgeSeconds]).toEqual([seconds, left]);
      expect(publishedKids(late.keyManager)).not.toContain(key.kid);
    }
    store.failReads(false);
    await late.keyManager.refresh();
    expect(late.keyManager.keySetMaxAgeSeconds).toBe(280);
    expect(publishedKids(late.keyManager)).toContain(key.kid);
  });

  test('evidence: what a key signed in its time is still verified as of then, and not as of now', async () => {
    const shared = share();
    const process = await openKeyManager(shared);
    const token = await mint(process, shared);
    const then = shared.clock.now();
    await process.keyManager.rotate({ ...order, urgent: true });
    shared.clock.advance(LIFETIME + SKEW + 1);
    await process.keyManager.refresh();
    expect(rejectionOf(process, shared, token)).toBe('KEY_EXPIRED');
    expect(rejectionOf(process, shared, token, then)).toBeUndefined();
  });

  test('a retired key that leaks makes no token of today', async () => {
    const shared = share();
    const process = await openKeyManager(shared);
    const leaked = process.keyManager.for(ISSUER, 'a');
    await process.keyManager.rotate({ ...order, urgent: true });
    await process.keyManager.refresh();
    shared.clock.advance(2 * SKEW + 1);
    const thief = { ...process, keyManager: { for: () => leaked } as unknown as KeyManager };
    expect(rejectionOf(process, shared, await mint(thief, shared))).toBe('KEY_EXPIRED');
  });

  test('a repeated call answers the key that is announced', async () => {
    const { keyManager } = await openKeyManager(share());
    const first = await keyManager.rotate(order);
    const again = await keyManager.rotate(order);
    expect(again).toEqual({ key: first.key, changed: false });
    expect(states(keyManager)).toEqual(['active', 'announced']);
  });

  test('of two processes that rotate at once, one announces and both use its key', async () => {
    const shared = share();
    const processes = await Promise.all([openKeyManager(shared), openKeyManager(shared)]);
    const answers = await Promise.all(processes.map(({ keyManager }) => keyManager.rotate(order)));
    expect(answers.filter(({ changed }) => changed)).toHaveLength(1);
    expect(new Set(answers.map(({ key }) => key.kid)).size).toBe(1);
    shared.clock.advance(LEAD);
    for (const { keyManager } of processes) await keyManager.refresh();
    for (const { keyManager } of processes) await keyManager.refresh();
    expect(processes.map(({ keyManager }) => kidOf(keyManager))).toEqual(answers.map(({ key }) => key.kid));
    expect(states(processes[0]!.keyManager)).toEqual(['retired', 'active']);
  });

  test('happens by itself at the age that the operator chose, so that the next key is due in time', async () => {
    const shared = share();
    const { keyManager } = await openKeyManager(shared, { policy: { rotateAfterMs: 7_200_000 } });
    shared.clock.advance(7200 - LEAD - 1);
    await keyManager.refresh();
    expect(states(keyManager)).toEqual(['active']);
    shared.clock.advance(1);
    await keyManager.refresh();
    expect(states(keyManager)).toEqual(['active', 'announced']);
    shared.clock.advance(LEAD);
    await keyManager.refresh();
    expect(states(keyManager)).toEqual(['retired', 'active']);
  });

  test('a configured key that the ledger does not know is the next one, and the old one signs until it is due', async () => {
    const shared = share();
    const old = await openKeyManager(shared);
    const { keyManager } = await openKeyManager(shared, { configured: 'another' });
    expect(kidOf(keyManager)).toBe(kidOf(old.keyManager));
    shared.clock.advance(LEAD);
    await keyManager.refresh();
    expect(states(keyManager)).toEqual(['retired', 'active']);
    expect(kidOf(keyManager)).not.toBe(old.keyManager.all[0]!.kid);
  });

  test('a key that a process cannot open does not become active by its hand', async () => {
    const shared = share();
    const able = await openKeyManager(shared);
    const unable = await openKeyManager(shared, { ports: { openRoot: () => Promise.reject(new Error('no access')) } });
    await able.keyManager.rotate(order);
    shared.clock.advance(LEAD);
    await unable.keyManager.refresh();
    expect(states(unable.keyManager)).toEqual(['active', 'announced']);
    expect(unable.failures).toHaveLength(1);
    await able.keyManager.refresh();
    await unable.keyManager.refresh();
    // The key before it has retired. Once its last moments are over, this process has nothing left to sign with.
    expect(kidOf(unable.keyManager)).toBe(unable.keyManager.all[0]!.kid);
    shared.clock.advance(SKEW);
    await unable.keyManager.refresh();
    expect(() => kidOf(unable.keyManager)).toThrow(noKey);
    expect(unable.keyManager.isReady()).toBe(false);
    expect(able.keyManager.isReady()).toBe(true);
  });

  test('is rejected where keys are made by somebody else', async () => {
    const { keyManager } = await openKeyManager(share(), { ports: { makeRoot: undefined } });
    await expect(keyManager.rotate(order)).rejects.toMatchObject({ reason: 'ROTATION_UNSUPPORTED' });
    await expect(keyManager.rotate({ ...order, nextKey: 'k' })).rejects.toMatchObject({
      reason: 'ROTATION_UNSUPPORTED',
    });
  });

  test('takes a named key where an administrator may name one, and no key twice', async () => {
    const shared = share();
    const locatorOf = (name: string) => `test:${name}`;
    const { keyManager } = await openKeyManager(shared, { ports: { makeRoot: undefined, locatorOf } });
    const { signer } = await shared.cupboard.make('test:next');
    await expect(keyManager.rotate({ ...order, nextKey: '0' })).rejects.toMatchObject({ reason: 'KEY_STATE_INVALID' });
    expect((await keyManager.rotate({ ...order, nextKey: 'next' })).key.kid).toBe(signer.jwk.kid);
    await expect(keyManager.rotate({ ...order, nextKey: 'x' })).rejects.toMatchObject({ reason: 'KEY_STATE_INVALID' });
    const again = await openKeyManager(shared, { ports: { locatorOf } });
    expect(again.keyManager.all.map(({ kid }) => kid)).toEqual(keyManager.all.map(({ kid }) => kid));
  });

  test('a named key that cannot be opened is rejected, and nothing is announced', async () => {
    const { keyManager } = await openKeyManager(share(), { ports: { locatorOf: (name) => `test:${name}` } });
    await expect(keyManager.rotate({ ...order, nextKey: 'gone' })).rejects.toMatchObject({
      reason: 'SIGNER_MISCONFIGURED',
    });
    expect(states(keyManager)).toEqual(['active']);
  });
});
