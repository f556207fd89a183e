// H9: the connections of the port.

import { Socket } from 'node:net';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { ConnectionTable } from '../../src/limits/connection-table.ts';

let time: number;
let table: ConnectionTable;
let port: number;

beforeEach(() => {
  time = 10_000;
  port = 1024;
  table = new ConnectionTable({ maxConnections: 6, maxPerAddress: 3 }, undefined, () => time);
});

/** A socket that says where it comes from; it closes at once when it is destroyed. */
function socket(address = '192.0.2.1', remotePort = port++): Socket {
  const real = new Socket();
  Object.defineProperties(real, { remoteAddress: { value: address }, remotePort: { value: remotePort } });
  return real;
}

function add(address?: string): Socket {
  const one = socket(address);
  table.add(one);
  return one;
}

describe('the connection table', () => {
  test('an address with too many loses the oldest that has asked for nothing', () => {
    const [first, second, third] = [add(), add(), add()];
    table.used(first);
    const fourth = add();
    expect([first, second, third, fourth].map(({ destroyed }) => destroyed)).toEqual([false, true, false, false]);
    expect(table.size).toBe(3);
  });

  test('so does the whole port, whatever the addresses', () => {
    const all = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5', '192.0.2.6'].map(add);
    add('192.0.2.7');
    expect(all.map(({ destroyed }) => destroyed)).toEqual([true, false, false, false, false, false]);
  });

  test('where all have been used, the one that was silent for longest makes room', () => {
    const all = [add(), add(), add()];
    for (const one of [all[1]!, all[0]!, all[2]!]) {
      table.used(one);
      time += 1_000;
    }
    time += 1_000;
    add();
    expect(all.map(({ destroyed }) => destroyed)).toEqual([false, true, false]);
  });

  test('fewer from now on: those that are not in use end, and more are taken again later', () => {
    const all = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'].map((address) => add(address));
    table.used(all[0]!);
    table.used(all[1]!);
    table.limitTo(1);
    // The two in use stay, and no other is taken beside them.
    expect(all.map(({ destroyed }) => destroyed)).toEqual([false, false, true, true]);
    expect(add('192.0.2.5').destroyed).toBe(true);
    table.limitTo(100);
    for (let more = 0; more < 4; more++) expect(add(`192.0.2.${more + 6}`).destroyed).toBe(false);
    // Never more than the limits say.
    add('192.0.2.10');
    expect(table.size).toBe(6);
  });

  test('where all are in use, the newcomer is turned away', () => {
    const all = [add(), add(), add()];
    for (const one of all) table.used(one);
    const onRejected = vi.fn<() => void>();
    expect(onRejected).not.toHaveBeenCalled();
    const late = add();
    expect([...all, late].map(({ destroyed }) => destroyed)).toEqual([false, false, false, true]);
    expect(table.size).toBe(3);
  });

  test('the socket that TLS puts over a connection counts as its own', () => {
    const [first, second] = [add(), add()];
    add();
    const secure = socket('192.0.2.1', first.remotePort!);
    table.attach(secure);
    table.used(secure);
    add();
    expect([first.destroyed, second.destroyed]).toEqual([false, true]);
  });

  test('a connection that is closed makes room by itself', async () => {
    const [first] = [add(), add(), add()];
    first!.destroy();
    await new Promise((resolve) => void setImmediate(resolve));
    expect(table.size).toBe(2);
    expect(add().destroyed).toBe(false);
  });

  test.each([
    ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2', 'is one host'],
    ['::ffff:192.0.2.9', '192.0.2.9', 'is one host'],
    ['2001:db8:0:1::1', '2001:db8:0:2::1', 'are two'],
    ['::1', '2001:db8::1', 'are two'],
  ])('%s and %s %s', (one, other, what) => {
    const all = [add(one), add(one), add(one)];
    add(other);
    expect(all.some(({ destroyed }) => destroyed)).toBe(what === 'is one host');
  });
});
