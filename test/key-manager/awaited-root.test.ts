// A root key that cannot be opened when the service starts: what holds until it can, and after that.

import { expect, onTestFinished, test } from 'vitest';
import { EctError, reject } from '../../src/errors.ts';
import type { AwaitedRoot, KeyManager } from '../../src/key-manager/index.ts';
import type { OpenSigner } from '../../src/keys/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { ISSUER } from '../support/authority.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { LEAD, makeLocalSigner, openKeyManager, share, startKeyManager } from '../support/key-manager.ts';

const AWAY = 'The signing key cannot be opened (it does not answer).';
const away = () => new EctError(reject('SIGNER_UNAVAILABLE', AWAY));
const rejectedAsAway = expect.objectContaining({ reason: 'SIGNER_UNAVAILABLE', message: AWAY });
const kidOf = (keyManager: KeyManager) => keyManager.for(ISSUER, 'a').jwk.kid;

/** A key that is opened when the test says so. */
class Distant implements AwaitedRoot {
  readonly locator = 'test:distant';
  readonly signer: OpenSigner;
  readonly startError: Error | undefined;
  isAway = true;
  attempts = 1;
  closed = 0;

  constructor(signer: OpenSigner, startError?: Error) {
    this.signer = {
      ...signer,
      publicKey: signer.publicKey,
      jwk: signer.jwk,
      sign: signer.sign.bind(signer),
    } as OpenSigner;
    this.signer.close = () => void this.closed++;
    this.signer.isReady = () => true;
    this.startError = startError;
  }

  readonly attempt = Promise.reject(away());

  async open(): Promise<OpenSigner> {
    this.attempts++;
    if (this.isAway) throw away();
    return this.signer;
  }
}

async function distant(startError?: Error): Promise<Distant> {
  const root = new Distant(await makeLocalSigner(), startError);
  root.attempt.catch(() => undefined);
  return root;
}

test('D9 nothing signs, and callers hear why; the first key of all signs as soon as it is open', async () => {
  const shared = share();
  const root = await distant();
  const missing: boolean[] = [];
  const reported = { signingKeyMissing: (is: boolean) => missing.push(is), keyChanged: () => undefined };
  const failures: unknown[] = [];
  const events = { ...reported, keysFailed: (cause: unknown) => failures.push(cause), keysRecovered: () => undefined };
  const { keyManager, ledger } = await openKeyManager(shared, { configuredRoot: root, ports: { events } });
  await keyManager.refresh();
  expect(() => kidOf(keyManager)).toThrow(rejectedAsAway);
  expect([keyManager.isReady(), keyManager.signingKid, keyManager.published]).toEqual([false, '', []]);
  // Who kept this empty set would not know the first key, which signs at once.
  expect(keyManager.keySetMaxAgeSeconds).toBe(0);
  for (let second = 0; second < 60; second++) {
    shared.clock.advance(1);
    await keyManager.refresh();
  }
  // Attempts after 1, 2, 4, 8 and 15 s at most, each pause at least half of it; and no entry for any.
  expect(root.attempts).toBeGreaterThanOrEqual(1 + 4 + 2);
  expect(root.attempts).toBeLessThanOrEqual(1 + 4 + 7);
  expect(failures).toHaveLength(root.attempts);
  expect(ledger.size).toBe(0);

  root.isAway = false;
  shared.clock.advance(15);
  await keyManager.refresh();
  expect(kidOf(keyManager)).toBe(root.signer.jwk.kid);
  expect(keyManager.keySetMaxAgeSeconds).toBeGreaterThan(0);
  expect(keyManager.all.map(({ state, locator }) => [state, locator])).toEqual([['active', root.locator]]);
  expect(missing).toEqual([true, false]);
  const { attempts } = root;
  shared.clock.advance(60);
  await keyManager.refresh();
  expect(root.attempts).toBe(attempts);
});

test('D9 a key that the ledger knows signs as soon as it is open, and adds nothing; meanwhile the key set is whole', async () => {
  const shared = share();
  const root = await distant();
  await openKeyManager(shared, { configuredRoot: { signer: root.signer, locator: root.locator } });
  const { keyManager, ledger } = await openKeyManager(shared, { configuredRoot: root });
  await keyManager.refresh();
  expect(() => kidOf(keyManager)).toThrow(rejectedAsAway);
  expect(keyManager.published.map(({ kid }) => kid)).toEqual([root.signer.jwk.kid]);
  const { size } = ledger;
  root.isAway = false;
  shared.clock.advance(15);
  await keyManager.refresh();
  expect(kidOf(keyManager)).toBe(root.signer.jwk.kid);
  expect(ledger.size).toBe(size);
});

test('D9 another key than that of the ledger is announced when it is open, and signs when its time has come', async () => {
  const shared = share();
  const old = await openKeyManager(shared);
  const root = await distant();
  const { keyManager } = await openKeyManager(shared, { configuredRoot: root });
  // The key before it can be opened, so nothing is missing.
  expect(kidOf(keyManager)).toBe(kidOf(old.keyManager));
  root.isAway = false;
  shared.clock.advance(15);
  await keyManager.refresh();
  expect(keyManager.all.map(({ state }) => state)).toEqual(['active', 'announced']);
  shared.clock.advance(LEAD);
  await keyManager.refresh();
  expect(kidOf(keyManager)).toBe(root.signer.jwk.kid);
});

test('D9 in two tiers nothing is certified or announced without the root key, and a delegated key follows by itself', async () => {
  const shared = share();
  const root = await distant();
  const policy = { delegatedLifeMs: 3_600_000 };
  const { keyManager, ledger } = await openKeyManager(shared, { configuredRoot: root, policy });
  for (let second = 0; second < 30; second++) {
    shared.clock.advance(1);
    await keyManager.refresh();
  }
  expect(ledger.size).toBe(0);
  expect(() => kidOf(keyManager)).toThrow(rejectedAsAway);
  root.isAway = false;
  shared.clock.advance(15);
  await keyManager.refresh();
  // The root key stands in: a set without the delegated key may be kept by now.
  expect(kidOf(keyManager)).toBe(root.signer.jwk.kid);
  shared.clock.advance(LEAD);
  await keyManager.refresh();
  expect(kidOf(keyManager)).not.toBe(root.signer.jwk.kid);
});

test('D9 a key that does not answer holds up no look at the ledger, and is used when it comes late', async () => {
  const shared = share();
  const root = await distant();
  const { promise, resolve } = Promise.withResolvers<OpenSigner>();
  const slow: AwaitedRoot = {
    locator: root.locator,
    attempt: root.attempt,
    open: () => promise,
    startError: undefined,
  };
  const { keyManager } = await openKeyManager(shared, { configuredRoot: slow });
  await keyManager.refresh();
  shared.clock.advance(1);
  await keyManager.refresh();
  // They return although the attempt has not ended.
  for (let look = 0; look < 20; look++) await keyManager.refresh();
  expect(keyManager.signingKid).not.toBe(root.signer.jwk.kid);
  shared.clock.advance(1);
  resolve(root.signer);
  await expect.poll(() => keyManager.signingKid).toBe(root.signer.jwk.kid);
});

test('D9 a ledger that fails when the key is open is tried again, and the key is not opened again', async () => {
  const store = new FaultyStore(new MemoryLedgerStore());
  const shared = share(store);
  const root = await distant();
  const { keyManager } = await openKeyManager(shared, { configuredRoot: root });
  await keyManager.refresh();
  root.isAway = false;
  shared.clock.advance(15);
  store.plan('none', 'lost');
  await keyManager.refresh();
  const { attempts } = root;
  for (let look = 0; look < 3; look++) await keyManager.refresh();
  expect(kidOf(keyManager)).toBe(root.signer.jwk.kid);
  expect(root.attempts).toBe(attempts);
});

test('D9 an error about the name ends the first start, and not that of a ledger that has had a key of that name', async () => {
  const shared = share();
  const rejected = await distant(new Error('no such name'));
  await expect(openKeyManager(shared, { configuredRoot: rejected })).rejects.toThrow('no such name');
  await openKeyManager(shared, { configuredRoot: { signer: rejected.signer, locator: rejected.locator } });
  const { keyManager } = await openKeyManager(shared, { configuredRoot: rejected });
  expect(() => kidOf(keyManager)).toThrow(expect.objectContaining({ reason: 'SIGNER_UNAVAILABLE' }));
});

test('D9 a key that comes after the end is closed', async () => {
  const shared = share();
  const root = await distant();
  const { promise, resolve } = Promise.withResolvers<OpenSigner>();
  const slow: AwaitedRoot = { locator: root.locator, attempt: promise, open: () => promise, startError: undefined };
  const { keyManager } = await startKeyManager(shared, { configuredRoot: slow });
  onTestFinished(() => keyManager.close());
  await keyManager.close();
  resolve(root.signer);
  await expect.poll(() => root.closed).toBe(1);
});

test('a start that the ledger ends closes the keys that it has opened', async () => {
  const store = new FaultyStore(new MemoryLedgerStore());
  const { signer, locator } = await distant();
  let closed = 0;
  signer.close = () => void closed++;
  store.plan('none', 'lost');
  await expect(startKeyManager(share(store), { configuredRoot: { signer, locator } })).rejects.toThrow();
  expect(closed).toBe(1);
});
