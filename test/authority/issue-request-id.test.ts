import { describe, expect, test } from 'vitest';
import type { Caller } from '../../src/authority/index.ts';
import { KeyRing } from '../../src/keys/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { ISSUER, makeAuthority } from '../support/authority.ts';
import { workload as workloadOf } from '../support/callers.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { OTHER_JTI } from '../support/tokens.ts';
import { appendTo, issueFor, reasonOf, recordTask } from './support.ts';

const workload: Caller = workloadOf('spiffe://example.org/a');

describe('a request id', () => {
  const again = { requestId: 'order-7' };

  test('answers a retry with the same token, also of concurrent calls', async () => {
    const { context } = await makeAuthority();
    const all = await Promise.all(Array.from({ length: 20 }, () => issueFor(context, again)));
    expect(new Set(all.map(({ token }) => token)).size).toBe(1);
    expect((await issueFor(context, again)).token).toBe(all[0]!.token);
  });

  test('answers a retry with the same token until that has expired, and then with a new one, also of concurrent calls', async () => {
    const { context, clock } = await makeAuthority();
    const keyed = { ...again, ttlSeconds: 10 };
    let last = await issueFor(context, keyed);
    // For longer than clocks may differ.
    for (let round = 0; round < 12; round++) {
      clock.advance(9);
      expect((await issueFor(context, keyed)).token).toBe(last.token);
      clock.advance(1);
      const next = await Promise.all(Array.from({ length: 5 }, () => issueFor(context, keyed)));
      expect(new Set(next.map(({ token }) => token)).size).toBe(1);
      expect(next[0]?.claims.exp).toBe(last.claims.exp + 10);
      last = next[0]!;
    }
  });

  test('rejects another request under the same key', async () => {
    const { context } = await makeAuthority();
    await issueFor(context, again, workload);
    expect(await reasonOf(issueFor(context, { ...again, execAct: 'other' }, workload))).toBe('IDEMPOTENCY_CONFLICT');
  });

  test('of an anonymous caller neither answers another request’s token nor makes it fail', async () => {
    const { context } = await makeAuthority();
    const theirs = await issueFor(context, again);
    const ours = await issueFor(context, { ...again, execAct: 'other' });
    expect(ours.claims.exec_act).toBe('other');
    expect(ours.token).not.toBe(theirs.token);
    expect((await issueFor(context, again)).token).toBe(theirs.token);
    expect((await issueFor(context, { ...again, execAct: 'other' })).token).toBe(ours.token);
  });

  test('belongs to the caller', async () => {
    const { context } = await makeAuthority();
    const [ours, theirs] = await Promise.all([issueFor(context, again), issueFor(context, again, workload)]);
    expect(ours.claims.iss).not.toBe(theirs.claims.iss);
  });

  test('records the very same token when the first answer was lost', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { context } = await makeAuthority(store);
    store.plan('lost', 'lost', 'lost');
    expect(await reasonOf(issueFor(context, { ...again, level: 'L3' }))).toBe('LEDGER_UNAVAILABLE');
    const { token, receipt } = await issueFor(context, { ...again, level: 'L3' });
    expect(receipt).toMatchObject({ leafIndex: 0, treeSize: 1 });
    expect((await appendTo(context, token)).duplicate).toBe(true);
  });

  test('reports on the predecessors again, as far as they are known by then', async () => {
    const { context } = await makeAuthority();
    const order = { ...again, pred: [OTHER_JTI] };
    expect((await issueFor(context, order)).dag).toMatchObject({ status: 'partial', unresolved: [{ jti: OTHER_JTI }] });
    await recordTask(context, { jti: OTHER_JTI });
    expect((await issueFor(context, order)).dag).toMatchObject({ status: 'complete' });
  });

  test.each(['KEY_UNKNOWN', 'KEY_REVOKED'])(
    'whose token is %s by now is to be replaced by another one',
    async (reason) => {
      const { context, signer, clock } = await makeAuthority();
      await issueFor(context, again);
      if (reason === 'KEY_REVOKED') context.keys.compromise(signer.jwk.kid, clock.now());
      else context.keys.replace([]);
      const rejection = await issueFor(context, again).catch((error: unknown) => error);
      expect(rejection).toMatchObject({
        reason: 'IDEMPOTENCY_CONFLICT',
        message: expect.stringContaining(`(${reason})`),
      });
    },
  );

  test('whose token is of a key that another process announced just now is answered with it', async () => {
    const { context } = await makeAuthority();
    const { token, kid } = await issueFor(context, again);
    const known = context.keys.find(kid, ISSUER)!;
    const keys = new KeyRing([], async (asked) => (asked === kid ? known : undefined));
    expect((await issueFor({ ...context, keys }, again)).token).toBe(token);
  });

  test('is free again when the token has expired', async () => {
    const { context, clock } = await makeAuthority();
    const first = await issueFor(context, again);
    clock.advance(3600);
    expect((await issueFor(context, again)).token).not.toBe(first.token);
  });
});
