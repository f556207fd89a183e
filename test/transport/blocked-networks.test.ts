// Networks that owe more than they may get no connection until they have paid.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { BlockedNetworks } from '../../src/transport/blocked-networks.ts';

test('H47: a network is blocked until it has paid for what its peers cost, and only so many are kept', () => {
  let now = 0;
  let rejected = 0;
  const blocked = new BlockedNetworks(
    () => rejected++,
    () => now,
  );
  expect(blocked.check('192.0.2.1')).toBe(false);
  // One percent of the time is free, and so is a burst.
  for (let second = 0; second < 100; second++, now += 1_000) expect(blocked.charge('192.0.2.2', 10)).toBe(false);
  expect(blocked.charge('192.0.2.1', 20)).toBe(false);
  expect(blocked.check('192.0.2.1')).toBe(false);
  expect(blocked.charge('192.0.2.1', 30)).toBe(true);
  expect(blocked.charge('2001:db8:0:1', 50)).toBe(true);
  expect(blocked.check('192.0.2.1')).toBe(true);
  expect(blocked.check('::ffff:192.0.2.1')).toBe(true);
  expect(blocked.check('2001:db8:0:1::5')).toBe(true);
  expect(blocked.check('2001:db8:0:2::5')).toBe(false);
  expect(rejected).toBe(3);
  now += 3_000;
  expect(blocked.check('192.0.2.1')).toBe(false);
  for (let at = 0; at < 2_000; at++) blocked.charge(`network ${at}`, 1);
  expect(blocked.size).toBe(1_000);
});

test('H47: a handshake below the free size pays nothing back, and a network that has paid is forgotten', () => {
  let now = 0;
  const blocked = new BlockedNetworks(
    () => undefined,
    () => now,
  );
  blocked.charge('192.0.2.1', 21);
  expect(blocked.charge('192.0.2.1', -20)).toBe(false);
  expect(blocked.isBlocked('192.0.2.1')).toBe(true);
  now = 2_100;
  expect(blocked.isBlocked('192.0.2.1')).toBe(false);
  expect(blocked.size).toBe(0);
});

test('H47: no network is blocked for more than a minute', () => {
  let now = 0;
  const blocked = new BlockedNetworks(
    () => undefined,
    () => now,
  );
  for (let time = 0; time < 100; time++) blocked.charge('192.0.2.1', 1_000);
  now = 59_999;
  expect(blocked.check('192.0.2.1')).toBe(true);
  now = 60_000;
  expect(blocked.check('192.0.2.1')).toBe(false);
});

test('H47: a server closes the connections of a blocked network before it creates a socket', async () => {
  const blocked = new BlockedNetworks(() => undefined);
  blocked.charge('127.0.0.1', 1_000);
  let accepted = 0;
  const server = createServer({ blockList: blocked }, () => accepted++).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined);
  await once(socket, 'close');
  expect(accepted).toBe(0);
  server.close();
});
