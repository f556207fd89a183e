// C3: the times in the ledger were made by a clock that was wrong, or the clock is wrong now and trusted. The leads of keys are
// measured, so that a jump can neither make nor undo them.

import { describe, expect, test } from 'vitest';
import { EctError, reject } from '../../src/errors.ts';
import { KEY_SCOPE, KeyAudit, type KeyManager } from '../../src/key-manager/index.ts';
import { Ledger } from '../../src/ledger/index.ts';
import { verifyToken } from '../../src/token/index.ts';
import { ISSUER } from '../support/authority.ts';
import {
  type KeyManagerChanges,
  LEAD,
  LIFETIME,
  openKeyManager,
  type Shared,
  SKEW,
  share,
  startKeyManager,
  type TestKeyManager,
} from '../support/key-manager.ts';
import { AUD, header, JTI, payload, policy } from '../support/tokens.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
const order = { nextKey: '', urgent: false, by: 'spiffe://example.com/admin', note: 'test' };
const rootKid = (keyManager: KeyManager) =>
  keyManager.all.findLast(({ generation, state }) => generation !== undefined && state === 'active')?.kid;
const kidOf = (keyManager: KeyManager) => keyManager.for(ISSUER, 'a').jwk.kid;

async function mint({ keyManager }: TestKeyManager, { clock }: Shared): Promise<string> {
  const signer = keyManager.for(ISSUER, 'a');
  const claims = { ...payload, iss: ISSUER, iat: clock.now(), exp: clock.now() + LIFETIME, jti: JTI };
  const input = [{ ...header, kid: signer.jwk.kid }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature = await signer.sign(Buffer.from(input), { signal: new AbortController().signal });
  return `${input}.${Buffer.from(signature).toString('base64url')}`;
}

function rejectionOf({ ring }: TestKeyManager, { clock }: Shared, token: string): string | undefined {
  const question = { now: clock.now(), audience: AUD, purpose: 'presented' } as const;
  const verdict = verifyToken(token, question, { ...policy, maxAgeSeconds: LIFETIME }, ring);
  return verdict.ok ? undefined : verdict.rejection.reason;
}

/** What an auditor finds wrong with the entries about keys. */
async function faultsIn({ ledger }: TestKeyManager): Promise<readonly (string | undefined)[]> {
  const audit = new KeyAudit(() => false);
  const entries = await ledger.list({ scope: KEY_SCOPE, startIndex: 0, limit: 500, withContent: true });
  return entries.map((record) => audit.takeKey(record)).filter((fault) => fault !== undefined);
}

/** Lets time pass with looks at the ledger, so that nothing depends on when exactly somebody looks. */
async function pass({ clock }: Shared, { keyManager }: TestKeyManager, seconds: number, step = 10): Promise<void> {
  for (let passed = 0; passed < seconds; passed += step) {
    clock.advance(Math.min(step, seconds - passed));
    await keyManager.refresh();
  }
}

/** Tokens are issued and accepted, the next root key takes over after its lead and not before, and so it goes on. */
async function expectAllToBeWell(shared: Shared, process: TestKeyManager): Promise<void> {
  const { keyManager } = process;
  for (let round = 0; round < 2; round++) {
    expect(rejectionOf(process, shared, await mint(process, shared))).toBeUndefined();
    const before = rootKid(keyManager);
    const { key } = await keyManager.rotate(order);
    await pass(shared, process, LEAD - 1);
    expect([rootKid(keyManager), rejectionOf(process, shared, await mint(process, shared))]).toEqual([
      before,
      undefined,
    ]);
    await pass(shared, process, 1);
    expect([rootKid(keyManager), rejectionOf(process, shared, await mint(process, shared))]).toEqual([
      key.kid,
      undefined,
    ]);
  }
  const { key } = await keyManager.rotate({ ...order, urgent: true });
  expect(rootKid(keyManager)).toBe(key.kid);
  expect(rejectionOf(process, shared, await mint(process, shared))).toBeUndefined();
  expect(process.failures).toEqual([]);
  expect(await faultsIn(process)).toEqual([]);
}

const WAYS: readonly (readonly [string, KeyManagerChanges])[] = [
  ['one tier', {}],
  ['two tiers', { policy: { delegatedLifeMs: HOUR * 1000 } }],
];
const JUMPS = [
  ['an hour', HOUR],
  ['a day', DAY],
  ['a year', YEAR],
] as const;

/** What happened while the clock was ahead. */
const MEANWHILE: Readonly<Record<string, (shared: Shared, process: TestKeyManager) => Promise<unknown>>> = {
  nothing: async () => undefined,
  'a rotation': (_, { keyManager }) => keyManager.rotate(order),
  'a rotation that was completed': async (shared, process) => {
    await process.keyManager.rotate(order);
    await pass(shared, process, LEAD);
  },
  'an urgent rotation': (_, { keyManager }) => keyManager.rotate({ ...order, urgent: true }),
  'three renewals of a delegated key': (shared, process) => pass(shared, process, 3 * HOUR, 60),
  'an entry of somebody else': async ({ store, key, clock }) => {
    const ledger = await Ledger.open({ store, key, nowMs: clock.nowMs });
    const digest = new Uint8Array(32);
    await ledger.append({ scope: '', name: 'x', author: 'a', digest, content: digest, leaf: () => digest });
  },
};

describe.each(WAYS)('C3 %s: entries of a time when the clock was ahead', (_way, changes) => {
  describe.each(JUMPS)('by %s', (_name, jump) => {
    test.each(Object.keys(MEANWHILE))('with %s meanwhile', async (name) => {
      const shared = share();
      const process = await openKeyManager(shared, changes);
      shared.clock.jump(jump);
      await MEANWHILE[name]?.(shared, process);
      shared.clock.jump(-jump);
      await process.keyManager.refresh();
      await pass(shared, process, 2 * HOUR, 60);
      await expectAllToBeWell(shared, process);
      // And for a process that knows nothing but what the ledger says.
      await process.keyManager.close();
      const { ledger } = process;
      const size = ledger.size;
      const after = await openKeyManager(shared, changes);
      await expectAllToBeWell(shared, after);
      expect(after.ledger.size - size).toBeLessThan(20);
    });
  });
});

describe.each(WAYS)('C3 %s: an announcement within a jump', (_way, changes) => {
  test.each([
    ['forward', 2 * HOUR],
    ['back', -2 * HOUR],
    ['a year forward', YEAR],
  ])('%s is as long as any other', async (_name, jump) => {
    const shared = share();
    const process = await openKeyManager(shared, changes);
    const { key } = await process.keyManager.rotate(order);
    await pass(shared, process, 100);
    shared.clock.jump(jump);
    await pass(shared, process, LEAD - 101);
    expect(rootKid(process.keyManager)).not.toBe(key.kid);
    await pass(shared, process, 1);
    expect(rootKid(process.keyManager)).toBe(key.kid);
    expect(await faultsIn(process)).toEqual([]);
  });

  test('is not shortened by a start after an unknown time', async () => {
    const shared = share();
    const before = await startKeyManager(shared, changes);
    const { key } = await before.keyManager.rotate(order);
    await before.keyManager.close();
    shared.clock.jump(DAY);
    const after = await openKeyManager(shared, changes);
    await pass(shared, after, LEAD - 1);
    expect(rootKid(after.keyManager)).not.toBe(key.kid);
    await pass(shared, after, 1);
    expect(rootKid(after.keyManager)).toBe(key.kid);
  });
});

describe.each(WAYS)('C3 %s: while the clock is doubted', (_way, changes) => {
  test('no step that is due is tried, whatever the time, until the clock is trusted', async () => {
    const shared = share();
    const { clock } = shared;
    const process = await openKeyManager(shared, changes);
    const { keyManager, ledger } = process;
    const { key } = await keyManager.rotate(order);
    const size = ledger.size;
    clock.isTrusted = false;
    await pass(shared, process, 3 * HOUR, 60);
    expect([ledger.size, process.failures]).toEqual([size, []]);
    clock.isTrusted = true;
    await keyManager.refresh();
    expect(rootKid(keyManager)).toBe(key.kid);
    expect(rejectionOf(process, shared, await mint(process, shared))).toBeUndefined();
    await pass(shared, process, HOUR);
    expect(rejectionOf(process, shared, await mint(process, shared))).toBeUndefined();
  });
});

test('C3 delegated keys are renewed in time after entries from the future: the root key does not have to stand in', async () => {
  const shared = share();
  const process = await openKeyManager(shared, { policy: { delegatedLifeMs: HOUR * 1000 } });
  const { keyManager } = process;
  shared.clock.jump(DAY);
  await pass(shared, process, 2 * HOUR, 60);
  shared.clock.jump(-DAY);
  const kids = new Set<string>();
  for (let minute = 0; minute < 180; minute++) {
    await pass(shared, process, 60, 60);
    kids.add(kidOf(keyManager));
  }
  expect(kids.size).toBeGreaterThanOrEqual(4);
  expect([...kids]).not.toContain(rootKid(keyManager));
});

test('C4 a key outlives its tokens by the earliest time that it can be, not by a jump', async () => {
  const shared = share();
  const { clock } = shared;
  const process = await openKeyManager(shared, { policy: { delegatedLifeMs: HOUR * 1000 } });
  const { keyManager } = process;
  const token = await mint(process, shared);
  const kid = kidOf(keyManager);
  clock.jump(YEAR);
  await pass(shared, process, HOUR - 60, 60);
  expect(JSON.parse(keyManager.keySet).keys.map((key: { kid: string }) => key.kid)).toContain(kid);
  clock.jump(-YEAR);
  await keyManager.refresh();
  expect(rejectionOf(process, shared, token)).toBeUndefined();
  await pass(shared, process, 2 * HOUR + SKEW, 30);
  expect(JSON.parse(keyManager.keySet).keys.map((key: { kid: string }) => key.kid)).not.toContain(kid);
});

test('C2 how long the key set may be kept is measured', async () => {
  const shared = share();
  const { keyManager } = await openKeyManager(shared);
  const seconds = keyManager.keySetMaxAgeSeconds;
  for (const jump of [YEAR, -YEAR, -DAY, DAY]) {
    shared.clock.jump(jump);
    expect(keyManager.keySetMaxAgeSeconds).toBe(seconds);
  }
  shared.clock.advance(LEAD);
  expect(keyManager.keySetMaxAgeSeconds).toBe(0);
});

test('C2 a pause before the next attempt is measured: no jump makes it longer', async () => {
  const shared = share();
  let attempts = 0;
  const openRoot = async () => {
    attempts++;
    throw new EctError(reject('SIGNER_UNAVAILABLE', 'The key service does not answer.'));
  };
  const one = await openKeyManager(shared);
  const two = await openKeyManager(shared, { ports: { openRoot } });
  await one.keyManager.rotate(order);
  await two.keyManager.refresh();
  const before = attempts;
  shared.clock.jump(-YEAR);
  shared.clock.advance(5);
  await two.keyManager.refresh();
  expect([before, attempts]).toEqual([1, 2]);
});
