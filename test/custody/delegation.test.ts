import { describe, expect, test } from 'vitest';
import { openCertificate } from '../../src/custody/certificate.ts';
import type { Custody } from '../../src/custody/index.ts';
import { EctError, refuse } from '../../src/errors.ts';
import type { OpenSigner } from '../../src/keys/index.ts';
import { ISSUER } from '../support/authority.ts';
import {
  type CustodyChanges,
  LEAD,
  makeLocalSigner,
  openCustody,
  type Shared,
  SKEW,
  share,
} from '../support/custody.ts';

const HOUR = 3600;
const noKey = expect.objectContaining({ reason: 'SIGNER_UNAVAILABLE' });
const kidOf = (custody: Custody, iss = ISSUER, act = 'a') => custody.for(iss, act).jwk.kid;
const rootOf = (custody: Custody) => custody.all[0]!.kid;

/** A root key that counts its signatures, and stops answering on demand: a key in KMS as custody sees it. */
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
    if (this.isDown) throw new EctError(refuse('SIGNER_UNAVAILABLE', 'KMS does not answer.'));
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

async function openTwoTier(shared: Shared = share(), changes: CustodyChanges = {}) {
  const { signer } = await shared.cupboard.make('test:0');
  const root = new RemoteRoot(signer);
  const process = await openCustody(shared, {
    ...changes,
    configuredRoot: { signer: root, locator: 'test:0' },
    ports: { openRoot: async () => root, makeRoot: undefined, ...changes.ports },
    policy: { delegatedLifeMs: HOUR * 1000, ...changes.policy },
  });
  return { ...process, shared, root };
}

describe('two tiers', () => {
  test('a short-lived key signs from the first token on, and the root key signs its certificate only', async () => {
    const { custody, root } = await openTwoTier();
    const { kid } = custody.for(ISSUER, 'a').jwk;
    expect(kid).not.toBe(rootOf(custody));
    for (let i = 0; i < 100; i++)
      await custody.for(ISSUER, 'a').sign(Buffer.from('x'), { signal: AbortSignal.timeout(1000) });
    expect(root.signatures).toBe(1);
    expect(custody.all.map(({ state }) => state)).toEqual(['active', 'active']);
  });

  test('the key set carries the certificate, which leads to the root key in the same set', async () => {
    const { custody, root } = await openTwoTier();
    const [, delegated] = JSON.parse(custody.keySet).keys as Record<string, string>[];
    const says = openCertificate(delegated!['ect_certificate']!, (kid) =>
      kid === root.jwk.kid ? root.publicKey : undefined,
    );
    expect(says).toMatchObject({ iss: ISSUER, rootKid: root.jwk.kid, jwk: { kid: delegated!['kid'] } });
    expect(says!.exp - says!.nbf).toBe(HOUR);
  });

  test('it is renewed before it ends: the next key is announced, ripens, and takes over without a gap', async () => {
    const { custody, root, shared } = await openTwoTier();
    const kids = new Set<string>();
    for (let minute = 0; minute < 180; minute++) {
      kids.add(kidOf(custody));
      const key = custody.all.find(({ kid }) => kid === kidOf(custody))!;
      expect(key.state).toBe('active');
      expect(shared.clock.nowMs()).toBeGreaterThanOrEqual(key.useFromMs);
      expect(shared.clock.now()).toBeLessThan(key.certificate!.says.exp);
      shared.clock.advance(60);
      await custody.refresh();
    }
    // A handful of root signatures: about three renewals in two hours, and the first key.
    expect(kids.size).toBeGreaterThanOrEqual(4);
    expect(kids.size).toBeLessThanOrEqual(6);
    expect(root.signatures).toBeLessThanOrEqual(6);
    expect(kids.has(rootOf(custody))).toBe(false);
  });

  test('every key but the first was announced for the life of the key set before it signed', async () => {
    const { custody, shared } = await openTwoTier();
    for (let minute = 0; minute < 120; minute++) {
      shared.clock.advance(60);
      await custody.refresh();
    }
    const [, , ...later] = (await custody.list({ startIndex: 0, limit: 100, past: true })).keys;
    expect(later.length).toBeGreaterThan(1);
    for (const key of later.filter(({ activeAtMs }) => activeAtMs !== undefined)) {
      expect(key.activeAtMs! - key.announcedAtMs).toBeGreaterThanOrEqual(LEAD * 1000);
    }
  });

  test('a process that comes later signs with the root key until its own key is ripe', async () => {
    const shared = share();
    const first = await openTwoTier(shared);
    const second = await openTwoTier(shared);
    expect(kidOf(second.custody)).toBe(rootOf(first.custody));
    shared.clock.advance(LEAD);
    await second.custody.refresh();
    const kid = kidOf(second.custody);
    expect([rootOf(first.custody), kidOf(first.custody)]).not.toContain(kid);
    await first.custody.refresh();
    expect(first.ring.find(kid, ISSUER)).toBeDefined();
  });

  test('direct signing stays for the issuers and the actions that the operator names', async () => {
    const direct = { issuers: ['urn:ect:test:bank'], actions: ['execute_trade'] };
    const { custody, root } = await openTwoTier(share(), { policy: { direct } });
    expect(kidOf(custody, ISSUER, 'execute_trade')).toBe(root.jwk.kid);
    expect(kidOf(custody, 'urn:ect:test:bank', 'a')).toBe(root.jwk.kid);
    expect(kidOf(custody, ISSUER, 'a')).not.toBe(root.jwk.kid);
  });
});

describe('a renewal that fails', () => {
  test('keeps the key to its end, is tried again, and then nothing signs', async () => {
    const { custody, root, shared, failures } = await openTwoTier();
    const kid = kidOf(custody);
    const end = custody.all[1]!.certificate!.says.exp;
    root.isDown = true;
    while (shared.clock.now() < end - 1) {
      shared.clock.advance(Math.min(60, end - 1 - shared.clock.now()));
      await custody.refresh();
      expect(kidOf(custody)).toBe(kid);
      expect(custody.isReady()).toBe(true);
    }
    expect(failures.length).toBeGreaterThan(5);
    shared.clock.advance(1);
    // At once, before anybody has looked.
    expect(() => kidOf(custody)).toThrow(noKey);
    expect(custody.isReady()).toBe(false);
    await custody.refresh();
    expect(() => kidOf(custody)).toThrow(noKey);
  });

  test('is made up for when the root key answers again: it stands in until the new key is ripe', async () => {
    const { custody, root, shared } = await openTwoTier();
    root.isDown = true;
    for (let minute = 0; minute < 61; minute++) {
      shared.clock.advance(60);
      await custody.refresh();
    }
    expect(() => kidOf(custody)).toThrow(noKey);
    root.isDown = false;
    shared.clock.advance(60);
    await custody.refresh();
    expect(kidOf(custody)).toBe(root.jwk.kid);
    shared.clock.advance(LEAD);
    await custody.refresh();
    expect(kidOf(custody)).not.toBe(root.jwk.kid);
  });

  test('pauses longer and longer, so that a root key in trouble is not flooded', async () => {
    const { custody, root, shared, failures } = await openTwoTier();
    root.isDown = true;
    shared.clock.advance(45 * 60);
    for (let second = 0; second < 600; second++) {
      await custody.refresh();
      shared.clock.advance(1);
    }
    expect(failures.length).toBeGreaterThan(8);
    expect(failures.length).toBeLessThan(30);
  });
});

describe('K9 revocation in two tiers', () => {
  test('a delegated key that is revoked signs no more, and is replaced', async () => {
    const { custody, root, shared } = await openTwoTier();
    const kid = kidOf(custody);
    await custody.revoke({ kid, by: 'admin', note: '' });
    expect(kidOf(custody)).toBe(root.jwk.kid);
    shared.clock.advance(LEAD);
    await custody.refresh();
    expect([kid, root.jwk.kid]).not.toContain(kidOf(custody));
  });

  test('a root key that is revoked takes the keys with it that it certified', async () => {
    const { custody, root, ring } = await openTwoTier();
    const kid = kidOf(custody);
    await custody.revoke({ kid: root.jwk.kid, by: 'admin', note: '' });
    expect(() => kidOf(custody)).toThrow(noKey);
    expect(ring.find(kid, ISSUER)?.revokedAt).toBeDefined();
    expect(JSON.parse(custody.keySet).keys).toEqual([]);
  });
});

test('a process that ends retires the key that it takes with it', async () => {
  const shared = share();
  const one = await openTwoTier(shared);
  const two = await openCustody(shared, { policy: { delegatedLifeMs: HOUR * 1000 } });
  const kid = kidOf(one.custody);
  await one.custody.close();
  await two.custody.refresh();
  expect(two.custody.all.find((key) => key.kid === kid)?.state).toBe('retired');
});

test('the key of a process that is gone is retired when its certificate has ended, by the one that does so for all', async () => {
  const shared = share();
  const gone = await openTwoTier(shared);
  const kid = kidOf(gone.custody);
  const isOneForAll = { other: false, tidier: false };
  const open = (name: keyof typeof isOneForAll) =>
    openCustody(shared, {
      policy: { delegatedLifeMs: HOUR * 1000 },
      ports: { tidiesForAll: () => isOneForAll[name] },
    });
  const [other, tidier] = [await open('other'), await open('tidier')];
  const stateOf = async ({ custody }: typeof other) => {
    await custody.refresh();
    return custody.all.find((key) => key.kid === kid)?.state;
  };
  isOneForAll.tidier = true;
  shared.clock.advance(HOUR);
  // Other processes may still accept what it signed last.
  expect(await stateOf(tidier)).toBe('active');
  shared.clock.advance(SKEW + LEAD + 1);
  expect(await stateOf(other)).toBe('active');
  expect(await stateOf(tidier)).toBe('retired');
  expect(await stateOf(other)).toBe('retired');
  const { keys } = await tidier.custody.list({ startIndex: 0, limit: 100, past: true });
  expect(keys.find((key) => key.kid === kid)?.note).toBe('its certificate has ended');
  // Once: nobody has anything left to do.
  const { size } = tidier.ledger;
  isOneForAll.other = true;
  await other.custody.refresh();
  expect(other.ledger.size).toBe(size);
});

test('a key that the ledger does not take is never put in force', async () => {
  const shared = share();
  const stranger = await makeLocalSigner();
  // A root key whose certificates another key signs: nothing of it may be believed.
  const { signer } = await shared.cupboard.make('test:0');
  const broken: OpenSigner = {
    jwk: signer.jwk,
    publicKey: signer.publicKey,
    sign: (input) => stranger.sign(input),
    isReady: () => true,
    close: () => undefined,
  };
  const { custody, failures } = await openCustody(shared, {
    configuredRoot: { signer: broken, locator: 'test:0' },
    policy: { delegatedLifeMs: HOUR * 1000 },
  });
  expect(custody.all).toHaveLength(1);
  expect(failures.length).toBeGreaterThan(0);
  expect(() => kidOf(custody)).toThrow(noKey);
});
