// Streams that stay open, what everybody may ask, and whose account pays.

import { describe, expect, test } from 'vitest';
import { Accounts } from '../../src/limits/accounts.ts';
import { PublicShare } from '../../src/limits/public-share.ts';
import { StreamSlots } from '../../src/limits/stream-slots.ts';

describe('H21: slots for streams', () => {
  test('a connection has so many, and all of them together', () => {
    const slots = new StreamSlots({ maxStreams: 5, maxPerConnection: 2 });
    const connections = [{}, {}, {}, {}];
    const taken = connections.map((one) => [slots.take(one), slots.take(one), slots.take(one)]);
    expect(taken.map((own) => own.filter((slot) => slot !== undefined).length)).toEqual([2, 2, 1, 0]);
    expect(slots.used).toBe(5);
    // Of the first two it is their own share that is used up, of the others that of all.
    expect(connections.map((one) => slots.hasShare(one))).toEqual([true, true, false, false]);
    taken[0]![0]!();
    expect(slots.take(connections[3]!)).toBeTypeOf('function');
    expect(slots.used).toBe(5);
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
    expect([share.isBeyondRate(flood), share.isBeyondRate(honest), share.isBeyondRate({})]).toEqual([
      true,
      false,
      false,
    ]);
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
    expect(floods.some((one) => share.isBeyondRate(one))).toBe(false);
    time += 10_000;
    expect(spend()).toBeLessThanOrEqual(200);
    expect(share.take({}, 1)).toBe(true);
  });
});

describe('accounts', () => {
  test('a caller has one over all of its connections; connections without a caller have one each', () => {
    const accounts = new Accounts(() => 0);
    const [one, other] = [{}, {}];
    expect(accounts.ofCaller('a', {})).toBe(accounts.ofCaller('a', {}));
    expect(accounts.ofCaller('a', {})).not.toBe(accounts.ofCaller('b', {}));
    expect(accounts.ofConnection(one)).toBe(accounts.ofConnection(one));
    expect(accounts.ofConnection(one)).not.toBe(accounts.ofConnection(other));
  });

  test('H17: connections of one network that have open calls divide one share; a caller, and a quiet connection, has its own', () => {
    const accounts = new Accounts(() => 0);
    const from = (remoteAddress: string) => accounts.ofConnection({ remoteAddress });
    const flood = Array.from({ length: 100 }, (_, nth) => from(`2001:db8:0:1::${nth.toString(16)}`));
    const [neighbour, other, caller] = [from('2001:db8:0:1::ffff'), from('192.0.2.1'), accounts.ofCaller('a', {})];
    expect(neighbour.sharers).toBe(1);
    for (const account of [...flood, other, caller]) account.callOpened();
    expect([neighbour, flood[0]!, other, caller].map(({ sharers }) => sharers)).toEqual([100, 100, 1, 1]);
    expect(flood[0]!.callOpened(), 'a second call is no second connection').toBe(false);
    expect(flood[0]!.sharers).toBe(100);
    for (const account of flood.slice(1)) account.callEnded();
    expect([flood[0]!.callEnded(), flood[0]!.callEnded()]).toEqual([false, true]);
    expect(neighbour.sharers).toBe(1);
  });

  test('H49: callers with a name have a share each, up to sixteen of one network', () => {
    const accounts = new Accounts(() => 0);
    const callers = Array.from({ length: 160 }, (_, nth) =>
      accounts.ofCaller(`${nth}`, { remoteAddress: '192.0.2.1' }),
    );
    const other = accounts.ofCaller('other', { remoteAddress: '192.0.2.2' });
    for (const caller of [...callers.slice(0, 16), other]) caller.callOpened();
    expect([callers[0]!.sharers, other.sharers]).toEqual([1, 1]);
    for (const caller of callers.slice(16)) caller.callOpened();
    expect([callers[0]!.sharers, other.sharers]).toEqual([10, 1]);
    expect([callers[0]!.networkCalls, other.networkCalls]).toEqual([160, 1]);
  });

  test('of callers that hold nothing a bounded number is kept, and of those that hold something all', () => {
    const accounts = new Accounts(() => 0);
    const holding = accounts.ofCaller('holds something', {});
    holding.openCalls = 1;
    const idle = accounts.ofCaller('idle', {});
    for (let caller = 0; caller < 10_000; caller++) accounts.ofCaller(`caller ${caller}`, {});
    expect(accounts.ofCaller('holds something', {})).toBe(holding);
    expect(accounts.ofCaller('idle', {})).not.toBe(idle);
  });
});
