// Streams that stay open, what everybody may ask, and the order in which bytes are parsed.

import { beforeEach, describe, expect, test } from 'vitest';
import { Account, Accounts, PublicShare, ReadScheduler, StreamSlots } from '../../src/limits/index.ts';

const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve));

describe('H21: slots for streams', () => {
  test('a connection has so many, and all of them together', () => {
    const slots = new StreamSlots({ maxStreams: 5, maxPerConnection: 2 });
    const connections = [{}, {}, {}, {}];
    const taken = connections.map((one) => [slots.take(one), slots.take(one), slots.take(one)]);
    expect(taken.map((own) => own.filter((slot) => slot !== undefined).length)).toEqual([2, 2, 1, 0]);
    expect(slots.used).toBe(5);
    taken[0]![0]!();
    expect(slots.take(connections[3]!)).toBeDefined();
    expect(slots.take(connections[0]!)).toBeUndefined();
  });
});

describe('H29: the public share', () => {
  test('a connection has a rate, and a flood of one does not use up that of another', () => {
    let time = 0;
    const share = new PublicShare(() => time);
    const [flood, honest] = [{}, {}];
    let answered = 0;
    for (let request = 0; request < 5_000; request++) if (share.take(flood, 0.05)) answered++;
    expect(answered).toBeLessThanOrEqual(1_003);
    expect(share.take(honest, 0.05)).toBe(true);
    time += 1_000;
    let more = 0;
    for (let request = 0; request < 1_000; request++) if (share.take(flood, 0.05)) more++;
    expect(more).toBe(100);
  });

  test('all connections together have a fifth of a core; the first requests of each are answered beyond it', () => {
    let time = 0;
    const share = new PublicShare(() => time);
    const floods = Array.from({ length: 500 }, () => ({}));
    const spend = () => floods.filter((one) => share.take(one, 1)).length;
    for (let first = 0; first < 3; first++) expect(spend()).toBe(500);
    expect(spend()).toBe(0);
    time += 10_000;
    expect(spend()).toBeLessThanOrEqual(200);
    expect(share.take({}, 1)).toBe(true);
  });
});

describe('H17: the order in which bytes are parsed', () => {
  let time: number;
  let reads: ReadScheduler;
  beforeEach(() => {
    time = 0;
    reads = new ReadScheduler(() => time);
  });

  /** Uses up the turn. */
  function fillTurn(): void {
    expect(reads.begin()).toBe(true);
    time += 4.1;
    expect(reads.goesOn).toBe(false);
  }

  test('a turn has a few milliseconds; what waits goes on in the next one, and new bytes after it', async () => {
    fillTurn();
    expect(reads.begin()).toBe(false);
    let parsed = 0;
    const account = new Account(0);
    for (let chunk = 0; chunk < 3; chunk++) {
      reads.defer(account.reading, () => {
        parsed++;
        time += 3;
      });
    }
    await nextTurn();
    expect(parsed).toBe(2);
    expect(reads.begin()).toBe(false);
    await nextTurn();
    expect(parsed).toBe(3);
    await nextTurn();
    expect(reads.begin()).toBe(true);
  });

  test('a slice ends after a millisecond, so that others are asked in the same turn', () => {
    expect(reads.begin()).toBe(true);
    time += 1;
    expect(reads.goesOn).toBe(true);
    time += 0.1;
    expect(reads.goesOn).toBe(false);
    reads.end(new Account(0).reading);
    expect(reads.begin()).toBe(true);
    expect(reads.goesOn).toBe(true);
  });

  test('who took much time waits for those who took little, over however many connections it came', async () => {
    const accounts = new Accounts(() => 0);
    const names = ['spiffe://example.com/flood', 'spiffe://example.com/b'] as const;
    const [flood, honest] = [accounts.ofCaller(names[0]), accounts.ofCaller(names[1])];
    const order: string[] = [];
    fillTurn();
    for (let chunk = 0; chunk < 100; chunk++) {
      reads.defer(flood.reading, () => {
        order.push('flood');
        time += 1;
      });
    }
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    const before = order.length;
    reads.defer(honest.reading, () => void order.push('honest'));
    await nextTurn();
    expect(order.slice(before, before + 2)).toContain('honest');
  });

  test('work runs at once where there is time, and in turn where there is none', async () => {
    const account = new Account(0);
    const done: string[] = [];
    reads.run(account.reading, () => void done.push('now'));
    fillTurn();
    reads.run(account.reading, () => void done.push('later'));
    expect(done).toEqual(['now']);
    await nextTurn();
    expect(done).toEqual(['now', 'later']);
  });
});

describe('accounts', () => {
  test('a caller has one over all of its connections; connections without a caller have one each', () => {
    const accounts = new Accounts(() => 0);
    const [one, other] = [{}, {}];
    expect(accounts.ofCaller('a')).toBe(accounts.ofCaller('a'));
    expect(accounts.ofCaller('a')).not.toBe(accounts.ofCaller('b'));
    expect(accounts.ofConnection(one)).toBe(accounts.ofConnection(one));
    expect(accounts.ofConnection(one)).not.toBe(accounts.ofConnection(other));
  });

  test('of callers that hold nothing a bounded number is kept, and of those that hold something all', () => {
    const accounts = new Accounts(() => 0);
    const holding = accounts.ofCaller('holds something');
    holding.openCalls = 1;
    const idle = accounts.ofCaller('idle');
    for (let caller = 0; caller < 10_000; caller++) accounts.ofCaller(`caller ${caller}`);
    expect(accounts.ofCaller('holds something')).toBe(holding);
    expect(accounts.ofCaller('idle')).not.toBe(idle);
  });
});
