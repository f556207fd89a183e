import { describe, expect, test } from 'vitest';
import { type AuthorityContext, appendBatch, type Caller, type WriteUse } from '../../src/authority/index.ts';
import { EctError, reject } from '../../src/errors.ts';
import { WriteQuota } from '../../src/limits/write-quota.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { workload } from '../support/callers.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { OTHER_JTI } from '../support/tokens.ts';
import { anonymous, appendTo, endless, issueFor, reasonIn, reasonOf, verifyFor } from './support.ts';

const a: Caller = workload('spiffe://example.org/a');
const b: Caller = workload('spiffe://example.org/b');

/** An authority under a quota of so many bytes an hour, with what is charged, by use. Its clock stands. */
async function makeLimited(bytesPerHour: number, store = new MemoryLedgerStore()) {
  const { context: unlimited, ...rest } = await makeAuthority(store);
  const quota = new WriteQuota({ bytesPerHour, nowMs: () => 0 });
  const charged: Record<WriteUse, number> = { ledger: 0, replay: 0, idempotency: 0, proof: 0 };
  const signatures = { made: 0 };
  const context: AuthorityContext = {
    ...unlimited,
    signers: {
      for: (...task) => {
        const signer = unlimited.signers.for(...task);
        return {
          jwk: signer.jwk,
          sign: (...input) => {
            signatures.made++;
            return signer.sign(...input);
          },
        };
      },
    },
    writes: {
      demand: (caller, _use, bytes) => quota.demand(caller, bytes),
      take: (caller, use, bytes) => {
        quota.take(caller, bytes);
        charged[use] += bytes;
      },
      refund: (caller, use, bytes) => {
        quota.refund(caller, bytes);
        charged[use] -= bytes;
      },
    },
  };
  return { ...rest, context, charged, signatures };
}

const PLENTY = 1_000_000;
/** Less than any one write needs. */
const NOTHING = 100;

describe('H27: what a call has written is charged to its caller', () => {
  test('an append, once: the same token again writes nothing and costs nothing, for every caller', async () => {
    const { context, charged } = await makeLimited(PLENTY);
    const { token } = await issueFor(context);
    await appendTo(context, token, a);
    const once = charged.ledger;
    expect(once).toBeGreaterThan(token.length);
    expect((await appendTo(context, token, a)).duplicate).toBe(true);
    expect((await appendTo(context, token, b)).duplicate).toBe(true);
    await Promise.all(Array.from({ length: 5 }, () => appendTo(context, token, b)));
    expect(charged).toEqual({ ledger: once, replay: 0, idempotency: 0, proof: 0 });
  });

  test('the items of a batch, each by itself', async () => {
    const { context, charged } = await makeLimited(PLENTY);
    const tokens = await Promise.all(Array.from({ length: 3 }, async () => (await issueFor(context)).token));
    await appendTo(context, tokens[0]!, a);
    const one = charged.ledger;
    await appendBatch(context, a, [...tokens, 'x'], endless.signal);
    expect(charged.ledger).toBe(3 * one);
  });

  test('Issue at L3, also in the background, and a key; a plain one costs nothing', async () => {
    const { context, charged } = await makeLimited(PLENTY);
    await issueFor(context);
    expect(charged).toEqual({ ledger: 0, replay: 0, idempotency: 0, proof: 0 });
    await issueFor(context, { level: 'L3' });
    const one = charged.ledger;
    await issueFor(context, { level: 'L3', record: 'async' });
    await context.recordings.drain();
    expect(charged).toEqual({ ledger: 2 * one, replay: 0, idempotency: 0, proof: 0 });
    for (let retry = 0; retry < 3; retry++) {
      await issueFor(context, { level: 'L3', record: 'async', requestId: 'k' });
      await context.recordings.drain();
    }
    expect(charged.ledger).toBe(3 * one);
    expect(charged.idempotency).toBeGreaterThan(0);
  });

  test('a use that is remembered; not one that is only looked at, skipped, or was remembered before', async () => {
    const { context, charged } = await makeLimited(PLENTY);
    const { token } = await issueFor(context);
    for (const replay of ['observe', 'skip'] as const) await verifyFor(context, token, { replay });
    expect(charged.replay).toBe(0);
    await verifyFor(context, token);
    const once = charged.replay;
    expect(once).toBeGreaterThan(0);
    expect(reasonIn(await verifyFor(context, token))).toBe('TOKEN_REPLAYED');
    expect(reasonIn(await verifyFor(context, `${token}x`))).not.toBe('VALID');
    expect(charged.replay).toBe(once);
  });

  test('a failed write costs nothing, unless its outcome is unknown', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { context, charged } = await makeLimited(PLENTY, store as unknown as MemoryLedgerStore);
    const { token } = await issueFor(context, { pred: [OTHER_JTI] });
    expect(await reasonOf(appendTo(context, token))).toBe('DAG_PREDECESSOR_MISSING');
    expect(charged.ledger).toBe(0);
    const other = (await issueFor(context)).token;
    store.plan('lost', 'lost', 'lost');
    expect(await reasonOf(appendTo(context, other))).toBe('LEDGER_UNAVAILABLE');
    expect(charged.ledger).toBeGreaterThan(0);
  });
});

describe('H27: a caller that has had its share', () => {
  test('is rejected before anything is signed or verified, and others go on', async () => {
    const { context, signatures } = await makeLimited(1500);
    const { token } = await issueFor(context, {}, a);
    await appendTo(context, token, a);
    signatures.made = 0;
    expect(await reasonOf(issueFor(context, { level: 'L3' }, a))).toBe('QUOTA_EXCEEDED');
    expect(await reasonOf(issueFor(context, { level: 'L3', record: 'async' }, a))).toBe('QUOTA_EXCEEDED');
    expect(await reasonOf(issueFor(context, { requestId: 'k' }, a))).toBe('QUOTA_EXCEEDED');
    expect(signatures.made).toBe(0);
    // No signature was looked at: it would be wrong.
    expect(await reasonOf(appendTo(context, `${token.slice(0, -4)}AAAA`, a))).toBe('QUOTA_EXCEEDED');
    expect(await reasonOf(verifyFor(context, `${token.slice(0, -4)}AAAA`, {}, a))).toBe('QUOTA_EXCEEDED');
    expect(await reasonOf(issueFor(context, { level: 'L3' }, b))).toBe('OK');
    expect(await reasonOf(issueFor(context, { level: 'L3' }, anonymous))).toBe('OK');
  });

  test('still issues, verifies without a record, and reads', async () => {
    const { context } = await makeLimited(NOTHING);
    const { token } = await issueFor(context, {}, a);
    for (const replay of ['observe', 'skip'] as const) {
      expect(reasonIn(await verifyFor(context, token, { replay }, a))).toBe('VALID');
    }
    expect(await reasonOf(appendTo(context, 'x'.repeat(20_000), a))).toBe('QUOTA_EXCEEDED');
  });

  test('leaves nothing behind: neither a use nor a key is remembered', async () => {
    const { context } = await makeLimited(NOTHING);
    const { token } = await issueFor(context);
    expect(await reasonOf(verifyFor(context, token))).toBe('QUOTA_EXCEEDED');
    const unlimited = { ...context, writes: undefined };
    expect(reasonIn(await verifyFor(unlimited, token))).toBe('VALID');
    expect(await reasonOf(issueFor(context, { requestId: 'k', level: 'L3' }))).toBe('QUOTA_EXCEEDED');
    expect((await context.ledger.checkpoint()).size).toBe(0);
  });

  test('a full disk rejects at the same steps, for every caller', async () => {
    const { context } = await makeAuthority();
    const { token } = await issueFor(context);
    const full = () => {
      throw new EctError(reject('STORAGE_FULL', 'There is no space.'));
    };
    const limited = { ...context, writes: { demand: full, take: full, refund: () => undefined } };
    expect(await reasonOf(appendTo(limited, token))).toBe('STORAGE_FULL');
    expect(await reasonOf(verifyFor(limited, token))).toBe('STORAGE_FULL');
    expect(await reasonOf(issueFor(limited, { level: 'L3' }))).toBe('STORAGE_FULL');
    expect(await reasonOf(issueFor(limited))).toBe('OK');
    expect(reasonIn(await verifyFor(limited, token, { replay: 'skip' }))).toBe('VALID');
  });
});
