// K10: an urgent rotation puts a key to use at once, whatever was ordered before it: every order of what administrators can
// order, in each way of signing.

import { describe, expect, test } from 'vitest';
import type { KeyManager } from '../../src/key-manager/index.ts';
import { verifyToken } from '../../src/token/index.ts';
import { ISSUER } from '../support/authority.ts';
import {
  type KeyManagerChanges,
  LEAD,
  LIFETIME,
  openKeyManager,
  type Shared,
  share,
  type TestKeyManager,
} from '../support/key-manager.ts';
import { AUD, header, JTI, payload, policy } from '../support/tokens.ts';

const by = { by: 'spiffe://example.com/admin', note: 'incident' };
const kidOf = (keyManager: KeyManager) => keyManager.for(ISSUER, 'a').jwk.kid;
const last = (keyManager: KeyManager, state: string) =>
  keyManager.all.findLast((key) => key.generation !== undefined && key.state === state)?.kid ?? 'none';

/** What an administrator can order, or wait for. What is rejected changes nothing, and is no part of what is tested. */
const ORDERS: Readonly<
  Record<string, (keyManager: KeyManager, next: () => string, shared: Shared) => Promise<unknown>>
> = {
  rotate: (keyManager, next) => keyManager.rotate({ ...by, nextKey: next(), urgent: false }),
  urgent: (keyManager, next) => keyManager.rotate({ ...by, nextKey: next(), urgent: true }),
  'revoke the active key': (keyManager) => keyManager.revoke({ ...by, kid: last(keyManager, 'active') }),
  'revoke the announced key': (keyManager) => keyManager.revoke({ ...by, kid: last(keyManager, 'announced') }),
  'retire the active key': (keyManager) => keyManager.retire({ ...by, kid: last(keyManager, 'active') }),
  'wait until it is used': async (keyManager, _, { clock }) => {
    clock.advance(LEAD);
    await keyManager.refresh();
  },
};
const names = Object.keys(ORDERS);
const upTo2 = [[], ...names.map((one) => [one]), ...names.flatMap((one) => names.map((two) => [one, two]))];
const upTo3 = [...upTo2, ...names.flatMap((one) => names.flatMap((two) => names.map((three) => [one, two, three])))];

interface Way {
  readonly changes: KeyManagerChanges;
  readonly sequences: readonly (readonly string[])[];
  /** How the next key is named; a fresh one each time. */
  readonly next: (shared: Shared) => () => Promise<string>;
}
const made = () => () => Promise.resolve('');
const WAYS: Readonly<Record<string, Way>> = {
  'keys that the service makes': { changes: {}, sequences: upTo3, next: made },
  'keys that are named, as those of KMS': {
    changes: { ports: { makeRoot: undefined, locatorOf: (name) => `test:${name}` } },
    sequences: upTo2,
    next: ({ cupboard }) => {
      let count = 0;
      return async () => {
        const name = `named-${count++}`;
        await cupboard.make(`test:${name}`);
        return name;
      };
    },
  },
  'two tiers': { changes: { policy: { delegatedLifeMs: 3_600_000 } }, sequences: upTo2, next: made },
};

/** Whether what a process signs now is valid there and in another process that looks at the ledger. */
async function expectServing(
  shared: Shared,
  signing: TestKeyManager,
  ...others: readonly TestKeyManager[]
): Promise<void> {
  const signer = signing.keyManager.for(ISSUER, 'a');
  expect(signing.keyManager.isReady()).toBe(true);
  const now = shared.clock.now();
  const claims = { ...payload, iss: ISSUER, iat: now, exp: now + 60, jti: JTI };
  const input = [{ ...header, kid: signer.jwk.kid }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature = await signer.sign(Buffer.from(input), { signal: new AbortController().signal });
  const token = `${input}.${Buffer.from(signature).toString('base64url')}`;
  for (const { ring, keyManager } of [signing, ...others]) {
    const verdict = verifyToken(
      token,
      { now, audience: AUD, purpose: 'presented' },
      { ...policy, maxAgeSeconds: LIFETIME },
      ring,
    );
    expect(verdict.ok ? 'VALID' : verdict.rejection.reason).toBe('VALID');
    expect(keyManager.keySet).toContain(signer.jwk.kid);
  }
}

describe.each(Object.entries(WAYS))('K10 with %s', (_, { changes, sequences, next }) => {
  test.each(sequences.map((sequence) => [sequence.join(', ') || 'nothing', sequence] as const))(
    'an urgent rotation after: %s',
    async (_name, sequence) => {
      const shared = share();
      const one = await openKeyManager(shared, changes);
      const two = await openKeyManager(shared, changes);
      const fresh = next(shared);
      for (const order of sequence) {
        const name = await fresh();
        await ORDERS[order]!(one.keyManager, () => name, shared).catch(() => undefined);
      }
      const revoked = one.keyManager.all.filter(({ state }) => state === 'revoked').map(({ kid }) => kid);
      const announced = last(one.keyManager, 'announced');
      // The recipe names no key where one is announced.
      const nextKey = announced === 'none' ? await fresh() : '';
      const { key, changed } = await one.keyManager.rotate({ ...by, nextKey, urgent: true });
      expect(changed).toBe(true);
      expect(key).toMatchObject({ state: 'active', by: by.by, note: by.note });
      if (announced !== 'none') expect(key.kid).toBe(announced);
      expect(revoked).not.toContain(kidOf(one.keyManager));
      await two.keyManager.refresh();
      await expectServing(shared, one, two);
      await expectServing(shared, two, one);
      // Nothing is left that would take the place of the key later.
      shared.clock.advance(LEAD + 1);
      for (const { keyManager } of [one, two, one, two]) await keyManager.refresh();
      expect(last(one.keyManager, 'active')).toBe(key.kid);
      expect(last(one.keyManager, 'announced')).toBe('none');
      await expectServing(shared, one, two);
      expect([one, two].flatMap(({ failures }) => failures)).toEqual([]);
      // Another process, and an auditor, derive the same.
      const three = await openKeyManager(shared, changes);
      expect(three.keyManager.all.filter(({ generation }) => generation !== undefined)).toEqual(
        one.keyManager.all.filter(({ generation }) => generation !== undefined),
      );
    },
  );
});

describe('K10 an urgent rotation', () => {
  test('makes another key where the announced one cannot be opened any more', async () => {
    const shared = share();
    const { keyManager } = await openKeyManager(shared);
    const gone = await openKeyManager(shared, {
      ports: { makeRoot: async () => await share().cupboard.make('test:gone') },
    });
    const { key: lost } = await gone.keyManager.rotate({ ...by, nextKey: '', urgent: false });
    await keyManager.revoke({ ...by, kid: kidOf(keyManager) });
    const { key } = await keyManager.rotate({ ...by, nextKey: '', urgent: true });
    expect(key.kid).not.toBe(lost.kid);
    expect(kidOf(keyManager)).toBe(key.kid);
    await keyManager.refresh();
    expect(keyManager.all.find(({ kid }) => kid === lost.kid)?.state).toBe('retired');
  });

  test('to a named key leaves the announced one behind', async () => {
    const shared = share();
    const { keyManager } = await openKeyManager(shared, {
      ports: { makeRoot: undefined, locatorOf: (name) => `test:${name}` },
    });
    await Promise.all(['x', 'y'].map((name) => shared.cupboard.make(`test:${name}`)));
    const { key: passed } = await keyManager.rotate({ ...by, nextKey: 'x', urgent: false });
    const { key } = await keyManager.rotate({ ...by, nextKey: 'y', urgent: true });
    expect(key.locator).toBe('test:y');
    expect(kidOf(keyManager)).toBe(key.kid);
    expect(keyManager.all.find(({ kid }) => kid === passed.kid)?.state).toBe('retired');
  });

  test('by two processes at once leaves both with keys in use, and the newest of them signs', async () => {
    const shared = share();
    const processes = [await openKeyManager(shared), await openKeyManager(shared)];
    await processes[0]!.keyManager.revoke({ ...by, kid: kidOf(processes[0]!.keyManager) });
    await Promise.all(processes.map(({ keyManager }) => keyManager.rotate({ ...by, nextKey: '', urgent: true })));
    for (const { keyManager } of [...processes, ...processes]) await keyManager.refresh();
    await expectServing(shared, processes[0]!, processes[1]!);
    expect(kidOf(processes[0]!.keyManager)).toBe(kidOf(processes[1]!.keyManager));
  });

  test('ends the pauses after failed renewals: what another root key failed at says nothing about this one', async () => {
    const shared = share();
    let fails = false;
    const first = await shared.cupboard.make('test:0');
    const signer = first.signer;
    const failing = {
      jwk: signer.jwk,
      publicKey: signer.publicKey,
      isReady: () => !fails,
      close: () => undefined,
      sign: (input: Uint8Array, until: { readonly signal: AbortSignal }) => {
        if (fails) throw new Error('the key is disabled');
        return signer.sign(input, until);
      },
    };
    const { keyManager } = await openKeyManager(shared, {
      policy: { delegatedLifeMs: 3_600_000 },
      configuredRoot: { signer: failing, locator: 'test:0' },
    });
    fails = true;
    shared.clock.advance(3_600);
    await keyManager.refresh();
    await keyManager.revoke({ ...by, kid: first.signer.jwk.kid });
    expect(() => kidOf(keyManager)).toThrow(expect.objectContaining({ reason: 'SIGNER_UNAVAILABLE' }));
    const { key } = await keyManager.rotate({ ...by, nextKey: '', urgent: true });
    expect(kidOf(keyManager)).toBe(key.kid);
  });
});
