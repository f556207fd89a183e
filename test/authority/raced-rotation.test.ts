// Two urgent rotations at once, or one and the steps that the service takes by itself: each caller learns what its own call has done.

import { expect, test } from 'vitest';
import { type RotationRequest, rotateKey } from '../../src/authority/index.ts';
import { EctError, reject } from '../../src/errors.ts';
import type { KeyManager } from '../../src/key-manager/index.ts';
import type { Candidate, LedgerStore } from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { workload } from '../support/callers.ts';
import { LEAD, openKeyManager, share } from '../support/key-manager.ts';

const ADMIN = workload('spiffe://example.com/admin');
const OTHER = workload('spiffe://example.com/other');

const request = (changes: Partial<RotationRequest> = {}): RotationRequest => ({
  nextKey: '',
  urgent: true,
  note: 'incident',
  requestId: 'request-1',
  expectedCurrentKid: '',
  ...changes,
});

const rootsOf = (keyManager: KeyManager) => keyManager.all.filter(({ generation }) => generation !== undefined);

/** A store that calls `afterCommit` once, after a candidate of this name was committed. */
function watched(name: string, afterCommit: () => Promise<unknown>): LedgerStore {
  let isDone = false;
  return new Proxy<LedgerStore>(new MemoryLedgerStore(), {
    get(target, member) {
      const method: unknown = Reflect.get(target, member);
      if (typeof method !== 'function') return method;
      if (member !== 'commit') return method.bind(target);
      return async (candidates: readonly Candidate[], ...rest: unknown[]): Promise<unknown> => {
        const result: unknown = await Reflect.apply(method, target, [candidates, ...rest]);
        if (!isDone && candidates.some((candidate) => candidate.name === name)) {
          isDone = true;
          await afterCommit();
        }
        return result;
      };
    },
  });
}

const reasonOf = (call: Promise<unknown>) =>
  call.then(
    () => 'OK',
    ({ reason }: EctError) => reason,
  );

test.each(['', 'request-1'])(
  'K10 an urgent rotation whose key another process has put to use, as one that is due, has changed something (request id: %j)',
  async (requestId) => {
    const others: KeyManager[] = [];
    const shared = share(watched('root/1', () => others[0]!.refresh()));
    const { keyManager } = await openKeyManager(shared);
    others.push((await openKeyManager(shared)).keyManager);
    const { context } = await makeAuthority();
    const { key, changed } = await rotateKey(context, keyManager, ADMIN, request({ requestId }));
    expect([key.state, key.by, changed]).toEqual(['active', 'service', true]);
    expect(rootsOf(keyManager)).toHaveLength(2);
    if (requestId === '') return;
    expect(await rotateKey(context, keyManager, ADMIN, request())).toMatchObject({
      changed: false,
      key: { kid: key.kid },
    });
  },
);

/** A key manager in which `between` happens after a rotation was planned. */
function interrupted(keyManager: KeyManager, between: () => Promise<unknown>) {
  let isFirst = true;
  return {
    rotate: keyManager.rotate.bind(keyManager),
    planRotation: async (input: Parameters<KeyManager['planRotation']>[0]) => {
      const plan = await keyManager.planRotation(input);
      if (isFirst) {
        isFirst = false;
        await between();
      }
      return plan;
    },
  };
}

test.each([true, false])(
  'K13 where another urgent rotation comes first, the current key is not the expected one, however often the request is sent (urgent: %s)',
  async (urgent) => {
    const { keyManager } = await openKeyManager(share());
    const { context } = await makeAuthority();
    const expectedCurrentKid = rootsOf(keyManager)[0]!.kid;
    const expecting = request({ urgent, expectedCurrentKid });
    const others = () => rotateKey(context, keyManager, OTHER, request({ expectedCurrentKid }));
    const raced = interrupted(keyManager, others);
    for (let at = 0; at < 3; at++) {
      expect(await reasonOf(rotateKey(context, raced, ADMIN, expecting))).toBe('KEY_NOT_CURRENT');
    }
    expect(rootsOf(keyManager)).toHaveLength(2);
    // The other request is one that was done.
    const theirs = await rotateKey(context, keyManager, OTHER, request({ expectedCurrentKid }));
    expect([theirs.key.kid, theirs.changed]).toEqual([rootsOf(keyManager)[1]!.kid, false]);
  },
);

test('K13 the same without a request id, where another process has put the announced key to use', async () => {
  const others: KeyManager[] = [];
  const shared = share();
  const { keyManager } = await openKeyManager(shared);
  others.push((await openKeyManager(shared)).keyManager);
  const { context } = await makeAuthority();
  const [first] = rootsOf(keyManager);
  await rotateKey(context, others[0]!, OTHER, request({ requestId: '' }));
  const expecting = request({ requestId: '', expectedCurrentKid: first!.kid });
  expect(await reasonOf(rotateKey(context, keyManager, ADMIN, expecting))).toBe('KEY_NOT_CURRENT');
});

test('K13 a request that expects a key and was done is answered the same, also after later rotations', async () => {
  const shared = share();
  const { keyManager } = await openKeyManager(shared);
  const { context } = await makeAuthority();
  for (const urgent of [true, false]) {
    const expectedCurrentKid = rootsOf(keyManager).findLast(({ state }) => state === 'active')!.kid;
    const expecting = request({ urgent, expectedCurrentKid, requestId: `request-${urgent}` });
    const { key } = await rotateKey(context, keyManager, ADMIN, expecting);
    shared.clock.advance(LEAD + 1);
    await keyManager.refresh();
    await rotateKey(context, keyManager, OTHER, request({ requestId: `later-${urgent}` }));
    expect(await rotateKey(context, keyManager, ADMIN, expecting)).toMatchObject({
      changed: false,
      key: { kid: key.kid },
    });
  }
});

test('K13 an urgent request whose announced key does not open has not used its id up', async () => {
  const shared = share();
  const away = new Set<string>();
  const ports = {
    makeRoot: undefined,
    locatorOf: (name: string) => `test:${name}`,
    openRoot: async (locator: string) => {
      if (away.has(locator)) throw new EctError(reject('SIGNER_MISCONFIGURED', 'There is no such key.'));
      return shared.cupboard.open(locator);
    },
  };
  const { context } = await makeAuthority();
  for (const name of ['next', 'another']) await shared.cupboard.make(`test:${name}`);
  const { keyManager: announcer } = await openKeyManager(shared, { ports });
  await announcer.rotate({ nextKey: 'next', urgent: false, by: 'admin', note: '' });
  away.add('test:next');
  const { keyManager } = await openKeyManager(shared, { ports });
  expect(await reasonOf(rotateKey(context, keyManager, ADMIN, request()))).toBe('SIGNER_MISCONFIGURED');
  // Corrected under the same id.
  const { key, changed } = await rotateKey(context, keyManager, ADMIN, request({ nextKey: 'another' }));
  expect([key.locator, key.state, changed]).toEqual(['test:another', 'active', true]);
});
