import { describe, expect, test } from 'vitest';
import { EctError, reject } from '../../src/errors.ts';
import { openCertificate } from '../../src/key-manager/certificate.ts';
import type { KeyManager } from '../../src/key-manager/index.ts';
import type { OpenSigner } from '../../src/keys/index.ts';
import { ISSUER } from '../support/authority.ts';
import {
  type KeyManagerChanges,
  LEAD,
  makeLocalSigner,
  openKeyManager,
  type Shared,
  SKEW,
  share,
} from '../support/key-manager.ts';

const HOUR = 3600;
const noKey = expect.objectContaining({ reason: 'SIGNER_UNAVAILABLE' });
const kidOf = (keyManager: KeyManager, iss = ISSUER, act = 'a') => keyManager.for(iss, act).jwk.kid;
const rootOf = (keyManager: KeyManager) => keyManager.all[0]!.kid;

/** A root key that counts its signatures, and stops answering on demand: a key in KMS as the key manager sees it. */
class RemoteRoot implements OpenSigner {
  readonly #inner: OpenSigner;
  signatures = 0;
  isDown = false;

  constructor(inner: OpenSigner) {
    this.#inner = inner;
  }

  get jwk() {
    return this.#inner.jwk;
  }

  get publicKey() {
    return this.#inner.publicKey;
  }

  async sign(input: Uint8Array): Promise<Uint8Array> {
    if (this.isDown) throw new EctError(reject('SIGNER_UNAVAILABLE', 'KMS does not answer.'));
    this.signatures++;
    return this.#inner.sign(input, { signal: new AbortController().signal });
  }

  isReady(): boolean {
    return !this.isDown;
  }

  close(): void {
    // Nothing is open.
  }
}

async function openTwoTier(shared: Shared = share(), changes: KeyManagerChanges = {}) {
  const { signer } = await shared.cupboard.make('test:0');
  const root = new RemoteRoot(signer);
  const process = await openKeyManager(shared, {
    ...changes,
    configuredRoot: { signer: root, locator: 'test:0' },
    ports: { openRoot: async () => root, makeRoot: undefined, ...changes.ports },
    policy: { delegatedLifeMs: HOUR * 1000, ...changes.policy },
  });
  return { ...process, shared, root };
}

describe('two tiers', () => {
  test('a short-lived key signs from the first token on, and the root key signs its certificate only', async () => {
    const { keyManager, root } = await openTwoTier();
    const { kid } = keyManager.for(ISSUER, 'a').jwk;
    expect(kid).not.toBe(rootOf(keyManager));
    for (let i = 0; i < 100; i++)
      await keyManager.for(ISSUER, 'a').sign(Buffer.from('x'), { signal: new AbortController().signal });
    expect(root.signatures).toBe(1);
    expect(keyManager.all.map(({ state }) => state)).toEqual(['active', 'active']);
  });

  test('the key set carries the certificate, which leads to the root key in the same set', async () => {
    const { keyManager, root } = await openTwoTier();
    const [, delegated] = JSON.parse(keyManager.keySet).keys as Record<string, string>[];
    const says = openCertificate(delegated!['ect_certificate']!, (kid) =>
      kid === root.jwk.kid ? root.publicKey : undefined,
    );
    expect(says).toMatchObject({ iss: ISSUER, rootKid: root.jwk.kid, jwk: { kid: delegated!['kid'] } });
    expect(says!.exp - says!.nbf).toBe(HOUR);
  });

  test('it is renewed before it ends: the next key is announced, ripens, and takes over without a gap', async () => {
    const { keyManager, root, shared } = await openTwoTier();
    const kids = new Set<string>();
    for (let minute = 0; minute < 180; minute++) {
      kids.add(kidOf(keyManager));
      const key = keyManager.all.find(({ kid }) => kid === kidOf(keyManager))!;
      expect(key.state).toBe('active');
      expect(shared.clock.nowMs()).toBeGreaterThanOrEqual(key.useFromMs);
      expect(shared.clock.now()).toBeLessThan(key.certificate!.says.exp);
      shared.clock.advance(60);
      await keyManager.refresh();
    }
    // A handful of root signatures: about three renewals in two hours, and the first key.
    expect(kids.size).toBeGreaterThanOrEqual(4);
    expect(kids.size).toBeLessThanOrEqual(6);
    expect(root.signatures).toBeLessThanOrEqual(6);
    expect(kids.has(rootOf(keyManager))).toBe(false);
  });

  test('every key but the first was announced for the life of the key set before it signed', async () => {
    const { keyManager, shared } = await openTwoTier();
    for (let minute = 0; minute < 120; minute++) {
      shared.clock.advance(60);
      await keyManager.refresh();
    }
    const [, , ...later] = (await keyManager.list({ startIndex: 0, limit: 100, past: true })).keys;
    expect(later.length).toBeGreaterThan(1);
    for (const key of later.filter(({ activeAtMs }) => activeAtMs !== undefined)) {
      expect(key.activeAtMs! - key.announcedAtMs).toBeGreaterThanOrEqual(LEAD * 1000);
    }
  });

  test('a process that comes later signs with the root key until its own key is due', async () => {
    const shared = share();
    const first = await openTwoTier(shared);
    const second = await openTwoTier(shared);
    expect(kidOf(second.keyManager)).toBe(rootOf(first.keyManager));
    shared.clock.advance(LEAD);
    await second.keyManager.refresh();
    const kid = kidOf(second.keyManager);
    expect([rootOf(first.keyManager), kidOf(first.keyManager)]).not.toContain(kid);
    await first.keyManager.refresh();
    expect(first.ring.find(kid, ISSUER)).toBeDefined();
  });

  test('direct signing stays for the issuers and the actions that the operator names', async () => {
    const direct = { issuers: ['urn:ect:test:bank'], actions: ['execute_trade'] };
    const { keyManager, root } = await openTwoTier(share(), { policy: { direct } });
    expect(kidOf(keyManager, ISSUER, 'execute_trade')).toBe(root.jwk.kid);
    expect(kidOf(keyManager, 'urn:ect:test:bank', 'a')).toBe(root.jwk.kid);
    expect(kidOf(keyManager, ISSUER, 'a')).not.toBe(root.jwk.kid);
  });
});

describe('a renewal that fails', () => {
  test('keeps the key to its end, is tried again, and then nothing signs', async () => {
    const { keyManager, root, shared, failures } = await openTwoTier();
    const kid = kidOf(keyManager);
    const end = keyManager.all[1]!.certificate!.says.exp;
    root.isDown = true;
    while (shared.clock.now() < end - 1) {
      shared.clock.advance(Math.min(60, end - 1 - shared.clock.now()));
      await keyManager.refresh();
      expect(kidOf(keyManager)).toBe(kid);
      expect(keyManager.isReady()).toBe(true);
    }
    expect(failures.length).toBeGreaterThan(5);
    shared.clock.advance(1);
    // At once, before anybody has looked.
    expect(() => kidOf(keyManager)).toThrow(noKey);
    expect(keyManager.isReady()).toBe(false);
    await keyManager.refresh();
    expect(() => kidOf(keyManager)).toThrow(noKey);
  });

  test('is made up for when the root key answers again: it stands in until the new key is due', async () => {
    const { keyManager, root, shared } = await openTwoTier();
    root.isDown = true;
    for (let minute = 0; minute < 61; minute++) {
      shared.clock.advance(60);
      await keyManager.refresh();
    }
    expect(() => kidOf(keyManager)).toThrow(noKey);
    root.isDown = false;
    shared.clock.advance(60);
    await keyManager.refresh();
    expect(kidOf(keyManager)).toBe(root.jwk.kid);
    shared.clock.advance(LEAD);
    await keyManager.refresh();
    expect(kidOf(keyManager)).not.toBe(root.jwk.kid);
  });

  test('pauses longer and longer, so that a root key in trouble is not flooded', async () => {
    const { keyManager, root, shared, failures } = await openTwoTier();
    root.isDown = true;
    shared.clock.advance(45 * 60);
    for (let second = 0; second < 600; second++) {
      await keyManager.refresh();
      shared.clock.advance(1);
    }
    expect(failures.length).toBeGreaterThan(8);
    expect(failures.length).toBeLessThan(30);
  });
});

describe('K9 revocation in two tiers', () => {
  test('a delegated key that is revoked signs no more, and is replaced', async () => {
    const { keyManager, root, shared } = await openTwoTier();
    const kid = kidOf(keyManager);
    await keyManager.revoke({ kid, by: 'admin', note: '' });
    expect(kidOf(keyManager)).toBe(root.jwk.kid);
    shared.clock.advance(LEAD);
    await keyManager.refresh();
    expect([kid, root.jwk.kid]).not.toContain(kidOf(keyManager));
  });

  test('a root key that is revoked takes the keys with it that it certified', async () => {
    const { keyManager, root, ring } = await openTwoTier();
    const kid = kidOf(keyManager);
    await keyManager.revoke({ kid: root.jwk.kid, by: 'admin', note: '' });
    expect(() => kidOf(keyManager)).toThrow(noKey);
    expect(ring.find(kid, ISSUER)?.revokedAt).toBeDefined();
    expect(JSON.parse(keyManager.keySet).keys).toEqual([]);
  });
});

test('a process that ends retires the key that it takes with it', async () => {
  const shared = share();
  const one = await openTwoTier(shared);
  const two = await openKeyManager(shared, { policy: { delegatedLifeMs: HOUR * 1000 } });
  const kid = kidOf(one.keyManager);
  await one.keyManager.close();
  await two.keyManager.refresh();
  expect(two.keyManager.all.find((key) => key.kid === kid)?.state).toBe('retired');
});

test('the key of a process that is gone is retired when its certificate has ended, by the one that does so for all', async () => {
  const shared = share();
  const gone = await openTwoTier(shared);
  const kid = kidOf(gone.keyManager);
  const isOneForAll = { other: false, tidier: false };
  const open = (name: keyof typeof isOneForAll) =>
    openKeyManager(shared, {
      policy: { delegatedLifeMs: HOUR * 1000 },
      ports: { tidiesForAll: () => isOneForAll[name] },
    });
  const [other, tidier] = [await open('other'), await open('tidier')];
  const stateOf = async ({ keyManager }: typeof other) => {
    await keyManager.refresh();
    return keyManager.all.find((key) => key.kid === kid)?.state;
  };
  isOneForAll.tidier = true;
  shared.clock.advance(HOUR);
  // Other processes may still accept what it signed last.
  expect(await stateOf(tidier)).toBe('active');
  shared.clock.advance(SKEW + LEAD + 1);
  expect(await stateOf(other)).toBe('active');
  expect(await stateOf(tidier)).toBe('retired');
  expect(await stateOf(other)).toBe('retired');
  const { keys } = await tidier.keyManager.list({ startIndex: 0, limit: 100, past: true });
  expect(keys.find((key) => key.kid === kid)?.note).toBe('its certificate has ended');
  // Once: nobody has anything left to do.
  const { size } = tidier.ledger;
  isOneForAll.other = true;
  await other.keyManager.refresh();
  expect(other.ledger.size).toBe(size);
});

test('a key that the ledger does not take is never put in force', async () => {
  const shared = share();
  const stranger = await makeLocalSigner();
  // A root key whose certificates another key signs: nothing of it may be trusted.
  const { signer } = await shared.cupboard.make('test:0');
  const broken: OpenSigner = {
    jwk: signer.jwk,
    publicKey: signer.publicKey,
    sign: (input) => stranger.sign(input),
    isReady: () => true,
    close: () => undefined,
  };
  const { keyManager, failures } = await openKeyManager(shared, {
    configuredRoot: { signer: broken, locator: 'test:0' },
    policy: { delegatedLifeMs: HOUR * 1000 },
  });
  expect(keyManager.all).toHaveLength(1);
  expect(failures.length).toBeGreaterThan(0);
  expect(() => kidOf(keyManager)).toThrow(noKey);
});
