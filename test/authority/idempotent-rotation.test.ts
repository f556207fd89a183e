// K13: an order to rotate, sent again because its answer was lost.

import { describe, expect, test } from 'vitest';
import { type AuthorityContext, type RotationRequest, rotateKey } from '../../src/authority/index.ts';
import { EctError, reject } from '../../src/errors.ts';
import { makeAuthority } from '../support/authority.ts';
import { workload } from '../support/callers.ts';
import { LEAD, openKeyManager, share, type TestKeyManager } from '../support/key-manager.ts';
import { reasonOf } from './support.ts';

const ADMIN = workload('spiffe://example.com/admin');
const OTHER = workload('spiffe://example.com/other');

const order = (changes: Partial<RotationRequest> = {}): RotationRequest => ({
  nextKey: '',
  urgent: true,
  note: 'incident',
  requestId: 'order-1',
  expectedCurrentKid: '',
  ...changes,
});

async function setUp(processes = 1) {
  const shared = share();
  const opened: TestKeyManager[] = [];
  for (let at = 0; at < processes; at++) opened.push(await openKeyManager(shared));
  const { context } = await makeAuthority();
  const { now, stamp, earliest, forgotten } = shared.clock;
  // The memory of request ids is shared, as a file or a database is.
  return {
    shared,
    custodies: opened.map(({ keyManager }) => keyManager),
    parts: { ...context, now, stamp, earliest, forgotten },
  };
}

const roots = (keyManager: TestKeyManager['keyManager']) =>
  keyManager.all.filter(({ generation }) => generation !== undefined);

describe('K13 an order under a request id', () => {
  test.each([{ urgent: true }, { urgent: false }])(
    'K13 however often it is sent, and by whichever process, one key comes of it',
    async ({ urgent }) => {
      const { custodies, parts, shared } = await setUp(2);
      const send = (at: number) => rotateKey(parts, custodies[at % 2]!, ADMIN, order({ urgent }));
      const first = await send(0);
      expect(first.changed).toBe(true);
      for (let at = 1; at < 5; at++) {
        const { key, changed } = await send(at);
        expect([key.kid, changed]).toEqual([first.key.kid, false]);
      }
      // Also when it has gone on since.
      shared.clock.advance(LEAD + 1);
      for (const keyManager of custodies) await keyManager.refresh();
      const last = await rotateKey(parts, custodies[1]!, ADMIN, order({ urgent: true, requestId: 'order-2' }));
      expect(last.key.kid).not.toBe(first.key.kid);
      expect((await send(0)).key.kid).toBe(first.key.kid);
      expect(roots(custodies[0]!)).toHaveLength(3);
    },
  );

  test('K13 of many at once one key comes', async () => {
    const { custodies, parts } = await setUp(2);
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, at) => rotateKey(parts, custodies[at % 2]!, ADMIN, order())),
    );
    expect(new Set(answers.map(({ key }) => key.kid)).size).toBe(1);
    for (const keyManager of custodies) await keyManager.refresh();
    expect(roots(custodies[0]!)).toHaveLength(2);
  });

  test.each([true, false])(
    'K13 that another process carries out in between is not carried out again (urgent: %s)',
    async (urgent) => {
      const { custodies, parts, shared } = await setUp();
      const [one] = custodies;
      const send = (keyManager: TestKeyManager['keyManager']) => rotateKey(parts, keyManager, ADMIN, order({ urgent }));
      const { keyManager: two } = await openKeyManager(shared, {
        ports: {
          makeRoot: async (generation: number) => {
            await send(one!);
            return shared.cupboard.make(`test:${generation}`);
          },
        },
      });
      const { key } = await send(two);
      expect(key.kid).toBe((await send(one!)).key.kid);
      expect(roots(two)).toHaveLength(2);
    },
  );

  test('K13 that was cut off between announcement and use is gone on with', async () => {
    const { custodies, parts } = await setUp();
    const [keyManager] = custodies;
    let isFirst = true;
    const cut = {
      planRotation: keyManager!.planRotation.bind(keyManager),
      rotate: async (each: Parameters<TestKeyManager['keyManager']['rotate']>[0]) => {
        if (!isFirst) return keyManager!.rotate(each);
        isFirst = false;
        // As far as the announcement.
        await keyManager!.rotate({ ...each, urgent: false });
        throw new Error('the process died');
      },
    } as const;
    await expect(rotateKey(parts, cut, ADMIN, order())).rejects.toThrow('died');
    const announced = roots(keyManager!).at(-1)!;
    const { key, changed } = await rotateKey(parts, cut, ADMIN, order());
    expect([key.kid, key.state, changed]).toEqual([announced.kid, 'active', true]);
    expect(roots(keyManager!)).toHaveLength(2);
  });

  test('K13 that found a key announced stands for that key, however much later it is sent again', async () => {
    const { custodies, parts, shared } = await setUp();
    const [keyManager] = custodies;
    const { key } = await keyManager!.rotate({ nextKey: '', urgent: false, by: 'admin', note: '' });
    const send = () => rotateKey(parts, keyManager!, ADMIN, order({ urgent: false }));
    expect(await send()).toMatchObject({ changed: false, key: { kid: key.kid } });
    shared.clock.advance(LEAD + 1);
    await keyManager!.refresh();
    expect(await send()).toMatchObject({ changed: false, key: { kid: key.kid, state: 'active' } });
    expect(roots(keyManager!)).toHaveLength(2);
  });

  test('another order under it is a conflict, but the order of another administrator is none', async () => {
    const { custodies, parts } = await setUp();
    const [keyManager] = custodies;
    await rotateKey(parts, keyManager!, ADMIN, order());
    for (const changes of [{ urgent: false }, { note: 'other' }, { expectedCurrentKid: 'x'.repeat(43) }])
      expect(await reasonOf(rotateKey(parts, keyManager!, ADMIN, order(changes)))).toBe('IDEMPOTENCY_CONFLICT');
    expect((await rotateKey(parts, keyManager!, OTHER, order())).changed).toBe(true);
  });

  test('is no request id of the same name', async () => {
    const { custodies, parts } = await setUp();
    const issued = { requestDigest: Buffer.alloc(32), token: 'a.b.c' };
    await parts.idempotency.remember(ADMIN.id, 'order-1', issued, parts.now() + 60, parts.now());
    expect((await rotateKey(parts, custodies[0]!, ADMIN, order())).changed).toBe(true);
  });

  test('without one each urgent call puts another key to use', async () => {
    const { custodies, parts } = await setUp();
    for (let at = 0; at < 3; at++) await rotateKey(parts, custodies[0]!, ADMIN, order({ requestId: '' }));
    expect(roots(custodies[0]!)).toHaveLength(4);
  });
});

describe('K13 an order that expects a key', () => {
  const rejection = (
    context: AuthorityContext,
    keyManager: TestKeyManager['keyManager'],
    changes: Partial<RotationRequest>,
  ) =>
    rotateKey(context, keyManager, ADMIN, order(changes)).then(
      () => undefined,
      (error: EctError) => [error.reason, error.metadata],
    );

  test('is rejected where another signs, which is named, and where none does', async () => {
    const { custodies, parts } = await setUp();
    const keyManager = custodies[0]!;
    const expectedCurrentKid = roots(keyManager)[0]!.kid;
    const { key } = await rotateKey(parts, keyManager, ADMIN, order({ requestId: '', expectedCurrentKid }));
    for (const requestId of ['', 'order-1']) {
      expect(await rejection(parts, keyManager, { requestId, expectedCurrentKid })).toEqual([
        'KEY_NOT_CURRENT',
        { current_kid: key.kid },
      ]);
    }
    await keyManager.revoke({ kid: key.kid, by: 'admin', note: '' });
    expect(await rejection(parts, keyManager, { requestId: '', expectedCurrentKid: key.kid })).toEqual([
      'KEY_NOT_CURRENT',
      { current_kid: '' },
    ]);
    expect(roots(keyManager)).toHaveLength(2);
  });

  test('and that was rejected has not used its id up: it is sent again as it is, or corrected', async () => {
    const { custodies, parts } = await setUp();
    const keyManager = custodies[0]!;
    const stale = order({ expectedCurrentKid: 'x'.repeat(43) });
    for (let at = 0; at < 2; at++) {
      expect(await reasonOf(rotateKey(parts, keyManager, ADMIN, stale))).toBe('KEY_NOT_CURRENT');
    }
    const expectedCurrentKid = roots(keyManager)[0]!.kid;
    expect((await rotateKey(parts, keyManager, ADMIN, order({ expectedCurrentKid }))).changed).toBe(true);
  });

  test.each([
    ['an announced key that waits', { urgent: false, nextKey: 'other' }, 'KEY_STATE_INVALID'],
    ['a key that was announced before', { nextKey: 'first' }, 'KEY_STATE_INVALID'],
    ['a key that does not open', { nextKey: 'none' }, 'SIGNER_MISCONFIGURED'],
    ['a key that no request could name', { nextKey: 'unnameable' }, 'ROTATION_UNSUPPORTED'],
  ] as const)('nor one that is rejected for %s', async (_title, changes, reason) => {
    const shared = share();
    const { keyManager } = await openKeyManager(shared, {
      configured: 'first',
      ports: {
        locatorOf: (name) => (name === 'unnameable' ? undefined : name),
        openRoot: async (locator) => {
          if (locator === 'none') throw new EctError(reject('SIGNER_MISCONFIGURED', 'There is no such key.'));
          return (await shared.cupboard.make(locator)).signer;
        },
      },
    });
    const { context } = await makeAuthority();
    await keyManager.rotate({ nextKey: 'second', urgent: false, by: 'admin', note: '' });
    expect(await reasonOf(rotateKey(context, keyManager, ADMIN, order(changes)))).toBe(reason);
    expect((await rotateKey(context, keyManager, ADMIN, order({ urgent: true }))).changed).toBe(true);
  });

  test.each(['', 'order-1'])(
    'whose key was announced before closes what it has opened of it (request id: %s)',
    async (requestId) => {
      const shared = share();
      let isOpen = 0;
      const { keyManager } = await openKeyManager(shared, {
        configured: 'first',
        ports: {
          locatorOf: (name) => name,
          // Another object each time, as of a key in AWS KMS.
          openRoot: async (locator) => {
            const { signer } = await shared.cupboard.make(locator);
            isOpen++;
            return { jwk: signer.jwk, close: () => void isOpen-- } as unknown as typeof signer;
          },
        },
      });
      const { context } = await makeAuthority();
      const repeated = order({ nextKey: 'first', requestId });
      expect(await reasonOf(rotateKey(context, keyManager, ADMIN, repeated))).toBe('KEY_STATE_INVALID');
      expect(isOpen).toBe(0);
    },
  );

  test('that was carried out is answered all the same when it is sent again', async () => {
    const { custodies, parts } = await setUp();
    const expectedCurrentKid = roots(custodies[0]!)[0]!.kid;
    const first = await rotateKey(parts, custodies[0]!, ADMIN, order({ expectedCurrentKid }));
    expect((await rotateKey(parts, custodies[0]!, ADMIN, order({ expectedCurrentKid }))).key.kid).toBe(first.key.kid);
  });
});
