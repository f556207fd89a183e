import { describe, expect, test } from 'vitest';
import { BackgroundAppends, type Notices } from '../../src/authority/index.ts';
import { generateLedgerKey, Ledger, openLedgerKey } from '../../src/ledger/index.ts';
import { MemoryLedgerStore } from '../../src/stores/memory/index.ts';
import { makeAuthority } from '../support/authority.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { candidate } from '../support/honest-seal.ts';
import { JTI, OTHER_JTI } from '../support/tokens.ts';
import { appendTo, issueFor, reasonOf, recordTask, verifyFor } from './support.ts';

const later = { level: 'L3', record: 'async' } as const;

describe('asynchronous L3', () => {
  test('the token leaves as L2 without a receipt, and its entry follows', async () => {
    const { parts, noticed } = await makeAuthority();
    const { token, level, receipt } = await issueFor(parts, { ...later, jti: JTI });
    expect({ level, receipt }).toEqual({ level: 'L2', receipt: undefined });
    expect(parts.background.stateOf('', JTI)).toMatchObject({ reason: 'ENTRY_PENDING' });
    expect(noticed).toEqual([]);
    await parts.background.drain();
    expect(parts.background.stateOf('', JTI)).toBeUndefined();
    expect(noticed).toEqual([{ event: 'background append', jti: JTI, reason: undefined }]);
    expect(await appendTo(parts, token)).toMatchObject({ duplicate: true, record: { index: 0 } });
    expect(await verifyFor(parts, token, { minimumLevel: 'L3' })).toMatchObject({ level: 'L3' });
  });

  test('every predecessor must be recorded, as for synchronous L3', async () => {
    const { parts } = await makeAuthority();
    expect(await reasonOf(issueFor(parts, { ...later, pred: [OTHER_JTI] }))).toBe('DAG_PREDECESSOR_MISSING');
    const pred = await recordTask(parts);
    expect(await reasonOf(issueFor(parts, { ...later, pred: [pred] }))).toBe('OK');
    await parts.background.drain();
    expect((await parts.ledger.checkpoint()).size).toBe(2);
  });

  test('a ledger that fails for a moment is asked again', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { parts, noticed } = await makeAuthority(store);
    store.plan('lost', 'landed');
    await issueFor(parts, { ...later, jti: JTI });
    await parts.background.drain();
    expect(noticed).toEqual([{ event: 'background append', jti: JTI, reason: undefined }]);
    expect((await parts.ledger.checkpoint()).size).toBe(1);
  });

  test('where it fails for good that is told, the token stays L2, and its holder can still append it', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { parts, noticed } = await makeAuthority(store);
    store.plan('lost', 'lost', 'lost');
    const { token } = await issueFor(parts, { ...later, jti: JTI });
    await parts.background.drain();
    expect(parts.background.stateOf('', JTI)).toMatchObject({
      reason: 'ENTRY_FAILED',
      facts: { cause: 'LEDGER_UNAVAILABLE' },
    });
    expect(noticed).toEqual([{ event: 'background append', jti: JTI, reason: 'LEDGER_UNAVAILABLE' }]);
    expect(await verifyFor(parts, token, { minimumLevel: 'L3' })).toMatchObject({
      refusal: { reason: 'LEVEL_TOO_LOW' },
    });
    expect((await appendTo(parts, token)).duplicate).toBe(false);
  });

  test('R5: of two tokens for one task at once one leaves', async () => {
    const { parts } = await makeAuthority();
    const rivals = ['a', 'b', 'c'].map((execAct) => reasonOf(issueFor(parts, { ...later, jti: JTI, execAct })));
    expect((await Promise.all(rivals)).sort()).toEqual(['DAG_DUPLICATE_TASK', 'DAG_DUPLICATE_TASK', 'OK']);
    await parts.background.drain();
    expect((await parts.ledger.checkpoint()).size).toBe(1);
  });

  test('R5: an entry that comes too late, because another token took its task, fails and is alarmed', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const { parts, noticed } = await makeAuthority(store);
    const { ledger, notices } = parts;
    const background = new BackgroundAppends({ ledger, notices, pausesMs: [3_600_000] });
    const rival = await issueFor(parts, { jti: JTI, execAct: 'other' });
    store.plan('lost');
    await issueFor({ ...parts, background }, { ...later, jti: JTI });
    await ledger.drain();
    await appendTo(parts, rival.token);
    await background.drain();
    expect(background.stateOf('', JTI)).toMatchObject({ facts: { cause: 'DAG_DUPLICATE_TASK' } });
    expect(noticed.map(({ event, seenBy, reason }) => [event, seenBy ?? reason])).toEqual([
      ['equivocated', 'ledger'],
      ['background append', 'DAG_DUPLICATE_TASK'],
    ]);
  });

  test('a retry under its key is the same token, and one entry', async () => {
    const { parts } = await makeAuthority();
    const order = { ...later, idempotencyKey: 'order-7' };
    const [one, two] = await Promise.all([issueFor(parts, order), issueFor(parts, order)]);
    const third = await issueFor(parts, order);
    expect(new Set([one.token, two.token, third.token]).size).toBe(1);
    await parts.background.drain();
    expect((await issueFor(parts, order)).token).toBe(one.token);
    await parts.background.drain();
    expect((await parts.ledger.checkpoint()).size).toBe(1);
  });
});

describe('the tables are bounded', () => {
  const silent: Notices = {
    equivocated: () => undefined,
    levelRefused: () => undefined,
    backgroundAppend: () => undefined,
  };

  async function open(store = new FaultyStore(new MemoryLedgerStore())) {
    const ledger = await Ledger.open({ store, key: openLedgerKey(generateLedgerKey('test/ledger')), nowMs: () => 1 });
    const bounds = { pausesMs: [], maxPending: 3, maxFailed: 2 };
    return { store, background: new BackgroundAppends({ ledger, notices: silent, ...bounds }) };
  }

  test('over its bound nothing more is taken, so that no token leaves whose entry nobody would write', async () => {
    const { background } = await open();
    for (const name of ['a', 'b', 'c']) background.add(candidate(name));
    background.add(candidate('a'));
    expect(() => background.add(candidate('d'))).toThrow(expect.objectContaining({ reason: 'SERVICE_OVERLOADED' }));
    await background.drain();
    background.add(candidate('d'));
    await background.drain();
  });

  test('the oldest failures are forgotten', async () => {
    const { store, background } = await open();
    for (const name of ['a', 'b', 'c']) {
      store.plan('lost');
      background.add(candidate(name));
      await background.drain();
    }
    const states = ['a', 'b', 'c'].map((name) => background.stateOf('', name)?.reason);
    expect(states).toEqual([undefined, 'ENTRY_FAILED', 'ENTRY_FAILED']);
  });

  test('draining waits for what is under way, and does not sit out the pauses', async () => {
    const store = new FaultyStore(new MemoryLedgerStore());
    const ledger = await Ledger.open({ store, key: openLedgerKey(generateLedgerKey('test/ledger')), nowMs: () => 1 });
    const background = new BackgroundAppends({ ledger, notices: silent, pausesMs: [3_600_000, 3_600_000] });
    store.plan('lost', 'lost');
    background.add(candidate('a'));
    await background.drain();
    expect(background.stateOf('', 'a')).toBeUndefined();
    expect(ledger.size).toBe(1);
  });
});
