import { describe, expect, test } from 'vitest';
import { EctError } from '../../src/errors.ts';
import type { KeyManager, KeyPage } from '../../src/key-manager/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { verifyToken } from '../../src/token/index.ts';
import { ISSUER } from '../support/authority.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import {
  LEAD,
  LIFETIME,
  openKeyManager,
  type Shared,
  SKEW,
  share,
  type TestKeyManager,
} from '../support/key-manager.ts';
import { AUD, header, JTI, NOW, payload, policy } from '../support/tokens.ts';

const order = { nextKey: '', urgent: false, by: 'spiffe://example.com/admin', note: 'test' };
const noKey = expect.objectContaining({ reason: 'SIGNER_UNAVAILABLE' });

const kidOf = (keyManager: KeyManager) => keyManager.for(ISSUER, 'a').jwk.kid;
const states = (keyManager: KeyManager) => keyManager.all.map(({ state }) => state);
const publishedKids = (keyManager: KeyManager) =>
  JSON.parse(keyManager.keySet).keys.map(({ kid }: { kid: string }) => kid);

/** A token by whatever signs now. */
async function mint({ keyManager }: TestKeyManager, { clock }: Shared): Promise<string> {
  const signer = keyManager.for(ISSUER, 'a');
  const claims = { ...payload, iss: ISSUER, iat: clock.now(), exp: clock.now() + LIFETIME, jti: JTI };
  const input = [{ ...header, kid: signer.jwk.kid }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature = await signer.sign(Buffer.from(input), { signal: new AbortController().signal });
  return `${input}.${Buffer.from(signature).toString('base64url')}`;
}

/** Why a process rejects a token; undefined where it accepts it. */
function rejectionOf({ ring }: TestKeyManager, { clock }: Shared, token: string, asOf?: number): string | undefined {
  const question = { now: clock.now(), audience: AUD, purpose: 'presented', asOf } as const;
  const verdict = verifyToken(token, question, { ...policy, maxAgeSeconds: LIFETIME }, ring);
  return verdict.ok ? undefined : verdict.rejection.reason;
}

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

  test('happens by itself at the age that the operator chose, so that the next key is ripe in time', async () => {
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

  test('a configured key that the ledger does not know is the next one, and the old one signs until it is ripe', async () => {
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
    await expect(openKeyManager(shared, { ports: { locatorOf } })).resolves.toBeDefined();
  });

  test('a named key that cannot be opened is rejected, and nothing is announced', async () => {
    const { keyManager } = await openKeyManager(share(), { ports: { locatorOf: (name) => `test:${name}` } });
    await expect(keyManager.rotate({ ...order, nextKey: 'gone' })).rejects.toMatchObject({
      reason: 'SIGNER_MISCONFIGURED',
    });
    expect(states(keyManager)).toEqual(['active']);
  });
});

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
    await expect(retiring).rejects.toMatchObject({ reason: 'KEY_STATE_INVALID', metadata: { state: 'active' } });
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
