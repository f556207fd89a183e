import { describe, expect, test } from 'vitest';
import type { Custody, KeyPage } from '../../src/custody/index.ts';
import { EctError } from '../../src/errors.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { verifyToken } from '../../src/token/index.ts';
import { ISSUER } from '../support/authority.ts';
import { LEAD, LIFETIME, openCustody, type Shared, SKEW, share, type TestCustody } from '../support/custody.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { AUD, header, JTI, NOW, payload, policy } from '../support/tokens.ts';

const order = { nextKey: '', urgent: false, by: 'spiffe://example.com/admin', note: 'test' };
const noKey = expect.objectContaining({ reason: 'SIGNER_UNAVAILABLE' });

const kidOf = (custody: Custody) => custody.for(ISSUER, 'a').jwk.kid;
const states = (custody: Custody) => custody.all.map(({ state }) => state);
const publishedKids = (custody: Custody) => JSON.parse(custody.keySet).keys.map(({ kid }: { kid: string }) => kid);

/** A token by whatever signs now. */
async function mint({ custody }: TestCustody, { clock }: Shared): Promise<string> {
  const signer = custody.for(ISSUER, 'a');
  const claims = { ...payload, iss: ISSUER, iat: clock.now(), exp: clock.now() + LIFETIME, jti: JTI };
  const input = [{ ...header, kid: signer.jwk.kid }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature = await signer.sign(Buffer.from(input), { signal: new AbortController().signal });
  return `${input}.${Buffer.from(signature).toString('base64url')}`;
}

/** Why a process refuses a token; undefined where it accepts it. */
function refusalOf({ ring }: TestCustody, { clock }: Shared, token: string, asOf?: number): string | undefined {
  const question = { now: clock.now(), audience: AUD, reading: 'presented', asOf } as const;
  const verdict = verifyToken(token, question, { ...policy, maxAgeSeconds: LIFETIME }, ring);
  return verdict.ok ? undefined : verdict.refusal.reason;
}

describe('the first start', () => {
  test('announces the key and makes it active at once, in the ledger before it signs', async () => {
    const shared = share();
    const { custody, ledger } = await openCustody(shared);
    expect(states(custody)).toEqual(['active']);
    expect(publishedKids(custody)).toEqual([kidOf(custody)]);
    const entries = await ledger.list({ startIndex: 0, limit: 10, withContent: false });
    expect(entries.map(({ name }) => name)).toEqual(['root/0', `${kidOf(custody)}/active`]);
  });

  test('of two processes at once makes one entry of each kind', async () => {
    const shared = share();
    const [one, two] = await Promise.all([openCustody(shared), openCustody(shared)]);
    expect(kidOf(one.custody)).toBe(kidOf(two.custody));
    expect(one.ledger.size).toBe(2);
  });

  test('with a ledger that does not answer is none: no key signs that the ledger has not announced', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const shared = share(store);
    store.plan('none', 'lost');
    await expect(openCustody(shared)).rejects.toMatchObject({ reason: 'LEDGER_UNAVAILABLE' });
  });

  test('a restart finds the ring again and adds nothing', async () => {
    const shared = share();
    const before = await openCustody(shared);
    const after = await openCustody(shared);
    expect(kidOf(after.custody)).toBe(kidOf(before.custody));
    expect(after.ledger.size).toBe(2);
  });
});

describe('K8 rotation', () => {
  test('K5 a key is published for the whole life of the key set before it signs, and the old one afterwards', async () => {
    const shared = share();
    const process = await openCustody(shared);
    const { custody } = process;
    const old = kidOf(custody);
    const token = await mint(process, shared);
    const { key, changed } = await custody.rotate(order);
    expect(changed).toBe(true);
    expect(kidOf(custody)).toBe(old);
    expect(publishedKids(custody)).toEqual([old, key.kid]);

    shared.clock.advance(LEAD - 1);
    await custody.refresh();
    expect([kidOf(custody), ...states(custody)]).toEqual([old, 'active', 'announced']);
    shared.clock.advance(1);
    await custody.refresh();
    expect([kidOf(custody), ...states(custody)]).toEqual([key.kid, 'retired', 'active']);
    expect(publishedKids(custody)).toEqual([old, key.kid]);
    expect(refusalOf(process, shared, token)).toBeUndefined();
    expect(refusalOf(process, shared, await mint(process, shared))).toBeUndefined();

    shared.clock.advance(LIFETIME + SKEW - 1);
    await custody.refresh();
    expect(publishedKids(custody)).toEqual([old, key.kid]);
    shared.clock.advance(1);
    await custody.refresh();
    expect(publishedKids(custody)).toEqual([key.kid]);
  });

  test('K5 a process that looks late gives its key set away for less, so that no copy outlives the lead of a key', async () => {
    const refreshMs = 10_000;
    const keySetMaxAgeMs = 280_000;
    const store = new FaultyStore(new MemoryLedgerStore());
    const shared = share(store);
    const [late, other] = [
      await openCustody(shared, { policy: { refreshMs, keySetMaxAgeMs } }),
      await openCustody(shared),
    ];
    expect(late.custody.keySetMaxAgeSeconds).toBe(280);
    // Announced right after the look of the late process, which signs 300 s from now.
    const { key } = await other.custody.rotate(order);
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
      await late.custody.refresh();
      expect([seconds, late.custody.keySetMaxAgeSeconds]).toEqual([seconds, left]);
      expect(publishedKids(late.custody)).not.toContain(key.kid);
    }
    store.failReads(false);
    await late.custody.refresh();
    expect(late.custody.keySetMaxAgeSeconds).toBe(280);
    expect(publishedKids(late.custody)).toContain(key.kid);
  });

  test('evidence: what a key signed in its time is still verified as of then, and not as of now', async () => {
    const shared = share();
    const process = await openCustody(shared);
    const token = await mint(process, shared);
    const then = shared.clock.now();
    await process.custody.rotate({ ...order, urgent: true });
    shared.clock.advance(LIFETIME + SKEW + 1);
    await process.custody.refresh();
    expect(refusalOf(process, shared, token)).toBe('KEY_EXPIRED');
    expect(refusalOf(process, shared, token, then)).toBeUndefined();
  });

  test('a retired key that leaks makes no token of today', async () => {
    const shared = share();
    const process = await openCustody(shared);
    const leaked = process.custody.for(ISSUER, 'a');
    await process.custody.rotate({ ...order, urgent: true });
    await process.custody.refresh();
    shared.clock.advance(2 * SKEW + 1);
    const thief = { ...process, custody: { for: () => leaked } as unknown as Custody };
    expect(refusalOf(process, shared, await mint(thief, shared))).toBe('KEY_EXPIRED');
  });

  test('a repeated call answers the key that is announced', async () => {
    const { custody } = await openCustody(share());
    const first = await custody.rotate(order);
    const again = await custody.rotate(order);
    expect(again).toEqual({ key: first.key, changed: false });
    expect(states(custody)).toEqual(['active', 'announced']);
  });

  test('of two processes that rotate at once, one announces and both use its key', async () => {
    const shared = share();
    const processes = await Promise.all([openCustody(shared), openCustody(shared)]);
    const answers = await Promise.all(processes.map(({ custody }) => custody.rotate(order)));
    expect(answers.filter(({ changed }) => changed)).toHaveLength(1);
    expect(new Set(answers.map(({ key }) => key.kid)).size).toBe(1);
    shared.clock.advance(LEAD);
    for (const { custody } of processes) await custody.refresh();
    for (const { custody } of processes) await custody.refresh();
    expect(processes.map(({ custody }) => kidOf(custody))).toEqual(answers.map(({ key }) => key.kid));
    expect(states(processes[0]!.custody)).toEqual(['retired', 'active']);
  });

  test('happens by itself at the age that the operator chose, so that the next key is ripe in time', async () => {
    const shared = share();
    const { custody } = await openCustody(shared, { policy: { rotateAfterMs: 7_200_000 } });
    shared.clock.advance(7200 - LEAD - 1);
    await custody.refresh();
    expect(states(custody)).toEqual(['active']);
    shared.clock.advance(1);
    await custody.refresh();
    expect(states(custody)).toEqual(['active', 'announced']);
    shared.clock.advance(LEAD);
    await custody.refresh();
    expect(states(custody)).toEqual(['retired', 'active']);
  });

  test('a configured key that the ledger does not know is the next one, and the old one signs until it is ripe', async () => {
    const shared = share();
    const old = await openCustody(shared);
    const { custody } = await openCustody(shared, { configured: 'another' });
    expect(kidOf(custody)).toBe(kidOf(old.custody));
    shared.clock.advance(LEAD);
    await custody.refresh();
    expect(states(custody)).toEqual(['retired', 'active']);
    expect(kidOf(custody)).not.toBe(old.custody.all[0]!.kid);
  });

  test('a key that a process cannot open does not become active by its hand', async () => {
    const shared = share();
    const able = await openCustody(shared);
    const unable = await openCustody(shared, { ports: { openRoot: () => Promise.reject(new Error('no access')) } });
    await able.custody.rotate(order);
    shared.clock.advance(LEAD);
    await unable.custody.refresh();
    expect(states(unable.custody)).toEqual(['active', 'announced']);
    expect(unable.failures).toHaveLength(1);
    await able.custody.refresh();
    await unable.custody.refresh();
    // The key before it has retired. Once its last moments are over, this process has nothing left to sign with.
    expect(kidOf(unable.custody)).toBe(unable.custody.all[0]!.kid);
    shared.clock.advance(SKEW);
    await unable.custody.refresh();
    expect(() => kidOf(unable.custody)).toThrow(noKey);
    expect(unable.custody.isReady()).toBe(false);
    expect(able.custody.isReady()).toBe(true);
  });

  test('is refused where keys are made by somebody else', async () => {
    const { custody } = await openCustody(share(), { ports: { makeRoot: undefined } });
    await expect(custody.rotate(order)).rejects.toMatchObject({ reason: 'ROTATION_UNSUPPORTED' });
    await expect(custody.rotate({ ...order, nextKey: 'k' })).rejects.toMatchObject({ reason: 'ROTATION_UNSUPPORTED' });
  });

  test('takes a named key where an administrator may name one, and no key twice', async () => {
    const shared = share();
    const locatorOf = (name: string) => `test:${name}`;
    const { custody } = await openCustody(shared, { ports: { makeRoot: undefined, locatorOf } });
    const { signer } = await shared.cupboard.make('test:next');
    await expect(custody.rotate({ ...order, nextKey: '0' })).rejects.toMatchObject({ reason: 'KEY_STATE_INVALID' });
    expect((await custody.rotate({ ...order, nextKey: 'next' })).key.kid).toBe(signer.jwk.kid);
    await expect(custody.rotate({ ...order, nextKey: 'x' })).rejects.toMatchObject({ reason: 'KEY_STATE_INVALID' });
    await expect(openCustody(shared, { ports: { locatorOf } })).resolves.toBeDefined();
  });

  test('a named key that cannot be opened is refused, and nothing is announced', async () => {
    const { custody } = await openCustody(share(), { ports: { locatorOf: (name) => `test:${name}` } });
    await expect(custody.rotate({ ...order, nextKey: 'gone' })).rejects.toMatchObject({
      reason: 'SIGNER_MISCONFIGURED',
    });
    expect(states(custody)).toEqual(['active']);
  });
});

describe('a ledger that fails', () => {
  test.each(['lost', 'landed'] as const)(
    'K8 a rotation whose entry is %s signs nothing before the ledger has it',
    async (fault) => {
      const store = new FaultyStore(new MemoryLedgerStore());
      const shared = share(store);
      const { custody } = await openCustody(shared);
      const old = kidOf(custody);
      store.plan(fault);
      await expect(custody.rotate(order)).rejects.toMatchObject({ reason: 'LEDGER_UNAVAILABLE' });
      expect(kidOf(custody)).toBe(old);
      expect(publishedKids(custody)).toEqual([old]);
      const { changed } = await custody.rotate(order);
      expect(changed).toBe(fault === 'lost');
      expect(states(custody)).toEqual(['active', 'announced']);
    },
  );

  test('K8 a key whose activation is lost does not sign: every kid of a token is active in the ledger', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const shared = share(store);
    const { custody, failures } = await openCustody(shared);
    const old = kidOf(custody);
    await custody.rotate(order);
    shared.clock.advance(LEAD);
    store.plan('lost');
    await custody.refresh();
    expect(kidOf(custody)).toBe(old);
    expect(failures).toHaveLength(1);
    await custody.refresh();
    expect(kidOf(custody)).not.toBe(old);
  });

  test('that cannot be read leaves the ring as it was, and is asked again', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const shared = share(store);
    const { custody, failures } = await openCustody(shared);
    store.failReads(true);
    await custody.refresh();
    expect(failures).toHaveLength(1);
    expect(custody.isReady()).toBe(true);
    store.failReads(false);
    await custody.rotate(order);
    expect(states(custody)).toEqual(['active', 'announced']);
  });

  test('K9 a key that was slipped into the table beside the tree is not trusted', async () => {
    const store = new MemoryLedgerStore();
    const shared = share(store);
    const { custody } = await openCustody(shared);
    const forged = await openCustody(share());
    const [entry] = await forged.ledger.list({ startIndex: 0, limit: 1, withContent: true });
    const slipped = { ...entry!, index: 2, name: 'root/1' };
    const list = store.list.bind(store);
    store.list = async (query) => [...(await list(query)), ...(query.startIndex <= 2 ? [slipped] : [])];
    await custody.refresh();
    expect(states(custody)).toEqual(['active']);
  });
});

describe('K9 revocation', () => {
  test('holds in every process as soon as it has looked at the ledger', async () => {
    const shared = share();
    const one = await openCustody(shared);
    const two = await openCustody(shared);
    const token = await mint(one, shared);
    const kid = kidOf(one.custody);
    await one.custody.revoke({ kid, by: 'admin', note: 'leaked' });
    expect(refusalOf(one, shared, token)).toBe('KEY_REVOKED');
    expect(refusalOf(two, shared, token)).toBeUndefined();
    await two.custody.refresh();
    expect(refusalOf(two, shared, token)).toBe('KEY_REVOKED');
    for (const { custody } of [one, two]) {
      expect(() => kidOf(custody)).toThrow(noKey);
      expect(publishedKids(custody)).toEqual([]);
    }
  });

  test('a rotation that is urgent puts a new key in force at once', async () => {
    const shared = share();
    const process = await openCustody(shared);
    await process.custody.revoke({ kid: kidOf(process.custody), by: 'admin', note: '' });
    const { key } = await process.custody.rotate({ ...order, urgent: true });
    expect(kidOf(process.custody)).toBe(key.kid);
    expect(refusalOf(process, shared, await mint(process, shared))).toBeUndefined();
  });

  test('evidence from before a compromise still counts, and none from after it', async () => {
    const shared = share();
    const process = await openCustody(shared);
    const token = await mint(process, shared);
    const before = shared.clock.now();
    shared.clock.advance(100);
    const since = shared.clock.nowMs();
    shared.clock.advance(100);
    await process.custody.revoke({ kid: kidOf(process.custody), by: 'admin', note: '' }, since);
    expect(refusalOf(process, shared, token, before)).toBeUndefined();
    expect(refusalOf(process, shared, token, before + 100)).toBe('KEY_REVOKED');
  });

  test('is repeated without harm, and never undone', async () => {
    const { custody } = await openCustody(share());
    const kid = kidOf(custody);
    expect(await custody.revoke({ kid, by: 'a', note: '' })).toMatchObject({ changed: true });
    expect(await custody.revoke({ kid, by: 'b', note: '' })).toMatchObject({ changed: false });
    await expect(custody.retire({ kid, by: 'a', note: '' })).rejects.toMatchObject({ reason: 'KEY_STATE_INVALID' });
  });
});

describe('retirement by hand', () => {
  test('of the key that signs is refused: nothing would sign', async () => {
    const { custody } = await openCustody(share());
    const retiring = custody.retire({ kid: kidOf(custody), by: 'a', note: '' });
    await expect(retiring).rejects.toMatchObject({ reason: 'KEY_STATE_INVALID', facts: { state: 'active' } });
  });

  test('of a key that nobody knows is refused', async () => {
    const { custody } = await openCustody(share());
    await expect(custody.retire({ kid: 'x', by: 'a', note: '' })).rejects.toThrow(EctError);
    await expect(custody.revoke({ kid: 'x', by: 'a', note: '' })).rejects.toMatchObject({ reason: 'KEY_NOT_FOUND' });
  });
});

test('choosing the signer makes nothing: the same object, at once', async () => {
  const { custody } = await openCustody(share());
  const first = custody.for(ISSUER, 'a');
  expect(first).not.toBeInstanceOf(Promise);
  expect(custody.for(ISSUER, 'b')).toBe(first);
});

test('K11 keys are listed in pages, each once, in the order in which they were announced', async () => {
  const shared = share();
  const { custody } = await openCustody(shared);
  for (let count = 0; count < 4; count++) await custody.rotate({ ...order, urgent: true });
  for (const past of [true, false]) {
    const kids: string[] = [];
    let startIndex: number | undefined = 0;
    while (startIndex !== undefined) {
      const page: KeyPage = await custody.list({ startIndex, limit: 2, past });
      expect(page.keys.length).toBeLessThanOrEqual(2);
      kids.push(...page.keys.map(({ kid }) => kid));
      startIndex = page.next;
    }
    expect(kids).toEqual(custody.all.map(({ kid }) => kid));
  }
});
