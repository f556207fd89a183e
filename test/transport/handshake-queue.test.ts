// How many handshakes of one network are under way, which wait, and which make room.

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { HandshakeQueue } from '../../src/transport/handshake-queue.ts';

/** Connections by name, in the order in which their handshakes began. */
function queueOf(trusted: readonly string[] = []) {
  const clock = { now: 0 };
  const begun: string[] = [];
  const isTrusted = (network: string) => trusted.includes(network);
  const late = { count: 0 };
  const onLate = () => void late.count++;
  const queue = new HandshakeQueue({ maxWaitMs: 10_000, isTrusted, onLate, now: () => clock.now });
  function enter(network: string, name: string): Socket {
    const tcp = Object.assign(new EventEmitter(), { destroyed: false, destroy: () => undefined as unknown });
    tcp.destroy = () => {
      tcp.destroyed = true;
      queue.leave(network, tcp as unknown as Socket);
    };
    queue.enter(network, tcp as unknown as Socket, () => begun.push(name));
    return tcp as unknown as Socket;
  }
  const enterMany = (network: string, count: number) =>
    Array.from({ length: count }, (_, at) => enter(network, `${network} ${at}`));
  return { clock, begun, late, queue, enter, enterMany, [Symbol.dispose]: () => queue.close() };
}

test('H47: four handshakes of a network are under way at most; those of others do not wait for them', () => {
  using given = queueOf();
  const [first] = given.enterMany('a', 10);
  given.enter('b', 'another');
  expect(given.begun).toEqual(['a 0', 'a 1', 'a 2', 'a 3', 'another']);
  given.queue.leave('a', first!);
  expect(given.begun.at(-1)).toBe('a 9');
  expect(given.begun).toHaveLength(6);
});

test('H47: a network with a trusted caller has 16 at a time', () => {
  using given = queueOf(['a']);
  given.enterMany('a', 40);
  expect(given.begun).toHaveLength(16);
});

test('H9: handshakes that stall make room after a second, but only for those that wait', () => {
  using given = queueOf();
  const stalled = given.enterMany('a', 4);
  given.clock.now = 900;
  const later = given.enterMany('b', 4);
  given.enter('a', 'first');
  given.enter('a', 'second');
  given.clock.now = 1_000;
  given.queue.check();
  expect(stalled.map(({ destroyed }) => destroyed)).toEqual([true, true, false, false]);
  expect(later.some(({ destroyed }) => destroyed)).toBe(false);
  expect(given.begun.slice(-2).toSorted()).toEqual(['first', 'second']);
  given.clock.now = 1_900;
  given.queue.check();
  expect(stalled.map(({ destroyed }) => destroyed)).toEqual([true, true, false, false]);
});

test('H9: a connection waits for its handshake for as long as for its first bytes, then it is closed', () => {
  using given = queueOf();
  const handshakes = given.enterMany('a', 4);
  const waiting = given.enter('a', 'late');
  const closing = handshakes.map((tcp) => Object.assign(tcp, { destroy: () => undefined }));
  given.clock.now = 9_999;
  given.queue.check();
  expect(waiting.destroyed).toBe(false);
  given.clock.now = 10_000;
  given.queue.check();
  expect(waiting.destroyed).toBe(true);
  expect(given.late.count).toBe(1);
  expect(closing.some(({ destroyed }) => destroyed)).toBe(false);
  expect(given.begun).not.toContain('late');
});

test('H47: a network that is blocked loses all of its handshakes, and none of those that wait begins', () => {
  using given = queueOf();
  const all = given.enterMany('a', 10);
  const other = given.enter('b', 'another');
  given.queue.closeAll('a');
  expect(all.every(({ destroyed }) => destroyed)).toBe(true);
  expect(other.destroyed).toBe(false);
  expect(given.begun).toHaveLength(5);
});

test('a connection that is closed while it waits never begins, and is not counted as late', () => {
  using given = queueOf();
  const [first, ...others] = given.enterMany('a', 4);
  given.enter('a', 'closed').destroy();
  given.clock.now = 1_000;
  given.queue.check();
  expect(first!.destroyed, 'no room for it is needed').toBe(false);
  given.queue.leave('a', first!);
  expect(given.begun).not.toContain('closed');
  for (const tcp of others) Object.assign(tcp, { destroy: () => undefined });
  given.enter('a', 'fourth');
  given.enter('a', 'closed').destroy();
  given.clock.now = 10_000;
  given.queue.check();
  expect(given.late.count).toBe(0);
});

test('nothing is kept of a network whose handshakes have ended', () => {
  using given = queueOf();
  for (const tcp of given.enterMany('a', 10)) tcp.destroy();
  given.enterMany('b', 10);
  given.queue.closeAll('b');
  expect(given.queue.size).toBe(0);
});
