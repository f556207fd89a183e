// What the peers of a network pay for what they cost below HTTP, and how many of their handshakes are under way.

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TlsGuard } from '../../src/transport/tls-guard.ts';

const KIB = 1024;
/** A ClientHello was answered. */
const ANSWERED_BYTES = 2_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

class Side extends EventEmitter {
  destroyed = false;
  bytesRead = 0;
  bytesWritten = ANSWERED_BYTES;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number;

  constructor(address: string | undefined, port: number) {
    super();
    this.remoteAddress = address;
    this.remotePort = port;
  }

  destroy(): this {
    if (this.destroyed) return this;
    this.destroyed = true;
    this.emit('close');
    return this;
  }
}

function guardOf(asksForCertificates = true) {
  const failures: string[] = [];
  const onFailure = (stage: string) => void failures.push(stage);
  const guard = new TlsGuard({ asksForCertificates, maxWaitMs: 10_000, onFailure });
  let port = 0;
  function connect(address: string | undefined) {
    const tcp = new Side(address, ++port);
    const state = { tcp, hasBegun: false, isServed: false };
    guard.accepted(tcp as unknown as Socket, () => {
      state.hasBegun = true;
    });
    return state;
  }
  /** The end of a handshake of so many bytes, with a client certificate. */
  function secure(state: ReturnType<typeof connect>, bytes: number, authorized = false) {
    const { tcp } = state;
    const tls = Object.assign(new Side(tcp.remoteAddress, tcp.remotePort), {
      authorized,
      getPeerX509Certificate: () => ({}),
    });
    tls.once('close', () => tcp.destroy());
    tcp.bytesRead = bytes;
    guard.secured(tls as unknown as TLSSocket, () => {
      state.isServed = true;
    });
    vi.advanceTimersByTime(0);
    return tls;
  }
  const open = (address: string, bytes = KIB, authorized = false) => {
    const state = connect(address);
    return { ...state, tls: secure(state, bytes, authorized), isServed: () => state.isServed };
  };
  const connectMany = (address: string, count: number) => Array.from({ length: count }, () => connect(address));
  return { guard, failures, connect, connectMany, secure, open, [Symbol.dispose]: () => guard.close() };
}

const begun = (states: readonly { hasBegun: boolean }[]) => states.filter(({ hasBegun }) => hasBegun).length;

test('H47: untrusted chains below 16 KiB are served and add up until their network is blocked; common ones cost nothing', () => {
  using given = guardOf();
  for (let time = 0; time < 100; time++) expect(given.open('192.0.2.1', 4 * KIB).isServed()).toBe(true);
  expect(given.guard.blocked.check('192.0.2.1')).toBe(false);
  // 15 ms each; 20 are free.
  expect(given.open('192.0.2.2', 14 * KIB).isServed()).toBe(true);
  expect(given.guard.blocked.check('192.0.2.2')).toBe(false);
  expect(given.open('192.0.2.2', 14 * KIB).isServed()).toBe(true);
  expect(given.guard.blocked.check('192.0.2.2')).toBe(true);
  expect(given.failures).toEqual(['blocked']);
});

test('H47: when a network is blocked, its other connections that are not secured are closed', () => {
  using given = guardOf();
  const [first, ...others] = given.connectMany('192.0.2.1', 10);
  const elsewhere = given.connect('192.0.2.2');
  given.secure(first!, 90 * KIB);
  expect([first!.tcp.destroyed, first!.isServed]).toEqual([true, false]);
  expect(others.every(({ tcp }) => tcp.destroyed)).toBe(true);
  expect(elsewhere.tcp.destroyed).toBe(false);
});

test('H47: a fifth handshake of a network begins when one has ended; 16 are under way where a caller is trusted', () => {
  using given = guardOf();
  const some = given.connectMany('192.0.2.1', 7);
  expect(begun(some)).toBe(4);
  given.secure(some[0]!, KIB);
  expect(begun(some)).toBe(5);
  some[1]!.tcp.destroy();
  expect(begun(some)).toBe(6);
  const trusted = given.open('192.0.2.2', KIB, true);
  const callers = given.connectMany('192.0.2.2', 20);
  expect(begun(callers)).toBe(16);
  for (const { tcp } of [trusted, ...callers]) tcp.destroy();
  expect(begun(given.connectMany('192.0.2.2', 20))).toBe(4);
});

test('where no certificates are requested, every handshake begins at once', () => {
  using given = guardOf(false);
  expect(begun(given.connectMany('192.0.2.1', 20))).toBe(20);
});

test('H47: a peer that has reset its connection before it is accepted gets no handshake', () => {
  using given = guardOf();
  const { tcp, hasBegun } = given.connect(undefined);
  expect([tcp.destroyed, hasBegun]).toEqual([true, false]);
});

test('a connection that waits in vain for its handshake is counted as one that failed', () => {
  using given = guardOf();
  for (const { tcp } of given.connectMany('192.0.2.1', 4)) tcp.destroy = () => tcp;
  const late = given.connect('192.0.2.1');
  vi.advanceTimersByTime(10_100);
  expect([late.tcp.destroyed, late.hasBegun, given.failures]).toEqual([true, false, ['tls']]);
});

test('H46: a peer with too many records pays for them; if its network is blocked already, its other connections are closed', () => {
  using given = guardOf();
  const [first, second, third] = [1, 2, 3].map(() => given.open('192.0.2.1'));
  const elsewhere = given.open('192.0.2.2');
  first!.tcp.bytesRead += 100 * KIB;
  vi.advanceTimersByTime(100);
  expect([first, second, third].map((one) => one!.tls.destroyed)).toEqual([true, false, false]);
  expect(given.guard.blocked.check('192.0.2.1')).toBe(true);
  second!.tcp.bytesRead += 100 * KIB;
  vi.advanceTimersByTime(100);
  expect(third!.tls.destroyed).toBe(true);
  expect(elsewhere.tls.destroyed).toBe(false);
});

test('H46: a caller with a trusted certificate is closed for its records, and others of its network are not', () => {
  using given = guardOf();
  const trusted = given.open('192.0.2.1', KIB, true);
  trusted.tcp.bytesRead += 1_000 * KIB;
  vi.advanceTimersByTime(100);
  expect(trusted.tls.destroyed).toBe(true);
  expect(given.guard.blocked.check('192.0.2.1')).toBe(false);
});

test('a guard that is closed has no timers', () => {
  guardOf().guard.close();
  expect(vi.getTimerCount()).toBe(0);
});
