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

/** What happens around one commit. */
interface Watches {
  /** Called once, before the first commit of a candidate with this name, and after it. */
  readonly before?: () => Promise<unknown>;
  readonly after?: () => Promise<unknown>;
}

function watched(isMeant: (name: string) => boolean, { before, after }: Watches): LedgerStore {
  let isSeen = false;
  return new Proxy<LedgerStore>(new MemoryLedgerStore(), {
    get(target, member) {
      const method: unknown = Reflect.get(target, member);
      if (typeof method !== 'function') return method;
      if (member !== 'commit') return method.bind(target);
      return async (candidates: readonly Candidate[], ...rest: unknown[]): Promise<unknown> => {
        const isFirst = !isSeen && candidates.some(({ name }) => isMeant(name));
        isSeen ||= isFirst;
        if (isFirst) await before?.();
        const result: unknown = await Reflect.apply(method, target, [candidates, ...rest]);
        if (isFirst) await after?.();
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

/** Two processes over a store in which something happens when this candidate is committed. */
async function openTwo(
  isMeant: (name: string) => boolean,
  when: 'before' | 'after',
  happens: (other: KeyManager) => Promise<unknown>,
) {
  const others: KeyManager[] = [];
  const shared = share(watched(isMeant, { [when]: () => happens(others[0]!) }));
  const { keyManager } = await openKeyManager(shared);
  others.push((await openKeyManager(shared)).keyManager);
  const { context } = await makeAuthority();
  const expectedCurrentKid = rootsOf(keyManager)[0]!.kid;
  return { keyManager, other: others[0]!, context, expectedCurrentKid };
}

const isNext = (name: string) => name === 'root/1';

test.each(['', 'request-1'])(
  'K10 an urgent rotation whose key another process has put to use, as one that is due, has changed something (request id: %j)',
  async (requestId) => {
    const opened = await openTwo(isNext, 'after', (other) => other.refresh());
    const { keyManager, context, expectedCurrentKid } = opened;
    const expecting = request({ requestId, expectedCurrentKid });
    const { key, changed } = await rotateKey(context, keyManager, ADMIN, expecting);
    expect([key.state, key.by, changed]).toEqual(['active', 'service', true]);
    expect(rootsOf(keyManager)).toHaveLength(2);
    if (requestId === '') return;
    expect(await rotateKey(context, keyManager, ADMIN, expecting)).toMatchObject({
      changed: false,
      key: { kid: key.kid },
    });
  },
);

test('K10 the same where a third rotation has replaced its key already', async () => {
  const { context: theirs } = await makeAuthority();
  const replace = async (other: KeyManager) => {
    await other.refresh();
    await rotateKey(theirs, other, OTHER, request({ requestId: '' }));
  };
  const { keyManager, context } = await openTwo(isNext, 'after', replace);
  const { key, changed } = await rotateKey(context, keyManager, ADMIN, request());
  expect([key.generation, changed]).toEqual([1, true]);
  expect(rootsOf(keyManager)).toHaveLength(3);
});

test('K13 an urgent rotation that announces its key later than another one changes nothing if it expects the current key', async () => {
  const { context: theirs } = await makeAuthority();
  const rotate = (other: KeyManager) => rotateKey(theirs, other, OTHER, request({ requestId: '' }));
  const { keyManager, context, expectedCurrentKid } = await openTwo(isNext, 'before', rotate);
  const expecting = request({ requestId: '', expectedCurrentKid });
  expect(await reasonOf(rotateKey(context, keyManager, ADMIN, expecting))).toBe('KEY_NOT_CURRENT');
  expect(rootsOf(keyManager)).toHaveLength(2);
});

test.each(['', 'request-1'])(
  'K13 of two urgent rotations that activate the same announced key the second one is rejected if it expects the current key (request id: %j)',
  async (requestId) => {
    let next = '';
    const { context: theirs } = await makeAuthority();
    const rotate = (other: KeyManager) => rotateKey(theirs, other, OTHER, request({ requestId: '' }));
    const opened = await openTwo((name) => name === `${next}/active`, 'before', rotate);
    const { keyManager, other, context, expectedCurrentKid } = opened;
    const announced = await rotateKey(theirs, other, OTHER, request({ urgent: false, requestId: '' }));
    next = announced.key.kid;
    const expecting = request({ requestId, expectedCurrentKid });
    expect(await reasonOf(rotateKey(context, keyManager, ADMIN, expecting))).toBe('KEY_NOT_CURRENT');
    expect(
      rootsOf(keyManager)
        .map(({ kid, state }) => [kid, state])
        .at(-1),
    ).toEqual([next, 'active']);
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

test.each([
  { urgent: true, caller: OTHER, requestId: 'request-1' },
  { urgent: false, caller: OTHER, requestId: 'request-1' },
  { urgent: true, caller: ADMIN, requestId: 'request-2' },
])(
  'K13 where another urgent rotation comes first, the current key is not the expected one, however often the request is sent (%j)',
  async ({ urgent, caller, requestId }) => {
    const { keyManager } = await openKeyManager(share());
    const { context } = await makeAuthority();
    const expectedCurrentKid = rootsOf(keyManager)[0]!.kid;
    const expecting = request({ urgent, expectedCurrentKid });
    const others = () => rotateKey(context, keyManager, caller, request({ requestId, expectedCurrentKid }));
    const raced = interrupted(keyManager, others);
    for (let at = 0; at < 3; at++) {
      expect(await reasonOf(rotateKey(context, raced, ADMIN, expecting))).toBe('KEY_NOT_CURRENT');
    }
    expect(rootsOf(keyManager)).toHaveLength(2);
    // The other request is one that was done.
    const theirs = await others();
    expect([theirs.key.kid, theirs.changed]).toEqual([rootsOf(keyManager)[1]!.kid, false]);
  },
);

test('K13 an urgent request is not done by the schedule, which has activated the next key first', async () => {
  const shared = share();
  const { keyManager } = await openKeyManager(shared);
  const { context } = await makeAuthority();
  const expectedCurrentKid = rootsOf(keyManager)[0]!.kid;
  await rotateKey(context, keyManager, OTHER, request({ urgent: false, requestId: '' }));
  const raced = interrupted(keyManager, () => {
    shared.clock.advance(LEAD + 1);
    return keyManager.refresh();
  });
  const expecting = request({ expectedCurrentKid });
  expect(await reasonOf(rotateKey(context, raced, ADMIN, expecting))).toBe('KEY_NOT_CURRENT');
});

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

test.each([
  { urgent: true, isAnnounced: false },
  { urgent: false, isAnnounced: false },
  { urgent: true, isAnnounced: true },
  { urgent: false, isAnnounced: true },
])(
  'K13 a request that expects a key and was done is answered the same, also after later rotations (%j)',
  async ({ urgent, isAnnounced }) => {
    const shared = share();
    const { keyManager } = await openKeyManager(shared);
    const { context } = await makeAuthority();
    const rotate = (changes: Partial<RotationRequest>) => rotateKey(context, keyManager, OTHER, request(changes));
    const expecting = request({ urgent, expectedCurrentKid: rootsOf(keyManager)[0]!.kid });
    if (isAnnounced) await rotate({ urgent: false, requestId: 'earlier' });
    const { key } = await rotateKey(context, keyManager, ADMIN, expecting);
    shared.clock.advance(LEAD + 1);
    await keyManager.refresh();
    await rotate({ requestId: 'later' });
    expect(await rotateKey(context, keyManager, ADMIN, expecting)).toMatchObject({
      changed: false,
      key: { kid: key.kid, generation: 1 },
    });
  },
);

test('K13 a request that has announced a key is done, also if another one activates that key urgently', async () => {
  const { keyManager } = await openKeyManager(share());
  const { context } = await makeAuthority();
  const expecting = request({ urgent: false, expectedCurrentKid: rootsOf(keyManager)[0]!.kid });
  const { key } = await rotateKey(context, keyManager, ADMIN, expecting);
  await rotateKey(context, keyManager, OTHER, request({ requestId: 'later' }));
  expect(await rotateKey(context, keyManager, ADMIN, expecting)).toMatchObject({
    changed: false,
    key: { kid: key.kid },
  });
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
  // It need not open as long as it is only announced.
  const announced = request({ nextKey: 'next', urgent: false, requestId: 'request-0' });
  expect(await rotateKey(context, keyManager, ADMIN, announced)).toMatchObject({ changed: false });
  expect(await reasonOf(rotateKey(context, keyManager, ADMIN, request()))).toBe('SIGNER_MISCONFIGURED');
  // Corrected under the same id.
  const { key, changed } = await rotateKey(context, keyManager, ADMIN, request({ nextKey: 'another' }));
  expect([key.locator, key.state, changed]).toEqual(['test:another', 'active', true]);
});
