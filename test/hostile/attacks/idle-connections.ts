// Connections that say nothing, or stop in the middle of their greeting; those that are cut off come again.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { PREFACE } from '../../../bench/http2-frames.ts';
import { type Attack, aborted, keepOpen, wait } from '../attacker/attack.ts';
import { openPeer } from '../attacker/http2-peer.ts';
import { openSocket, openTcp } from '../attacker/socket.ts';
import type { Target } from '../support/target.ts';

/** The first bytes of a TLS record that announces a ClientHello of 512 bytes. */
const HALF_HELLO = Buffer.from('160301020001', 'hex');

const OPEN: Readonly<Record<string, (target: Target) => Promise<Socket>>> = {
  silent: openTcp,
  'half a TLS handshake': (target) => sendFirst(openTcp(target), HALF_HELLO),
  'half a preface': (target) => sendFirst(openSocket(target, 'h2'), PREFACE.subarray(0, 10)),
  'half the headers of HTTP/1.1': (target) =>
    sendFirst(openSocket(target, 'http/1.1'), Buffer.from('GET / HTTP/1.1\r\nHo')),
  greeted: async (target) => (await openPeer(target)).socket,
};

/** Options: `kind`, `connections`, `addresses` (default 1): the local addresses they come from, `churns`: 1: closed at once. */
export const attack: Attack = async ({ target, options }) => {
  const { kind, connections, addresses = 1, churns = 0 } = options;
  const open = OPEN[String(kind)];
  if (open === undefined) throw new TypeError(`there is no ${kind}`);
  return (until) =>
    keepOpen(Number(connections), until, async (place) => {
      // Not all in the same moment: a listening socket has a queue.
      await wait(place / 2, until);
      const from = Number(addresses) === 1 ? target.from : `127.1.0.${1 + (place % Number(addresses))}`;
      do {
        const socket = await open({ ...target, from });
        socket.resume();
        if (churns === 0) await Promise.race([once(socket, 'close').catch(() => undefined), aborted(until)]);
        socket.destroy();
      } while (churns === 1 && !until.aborted);
    });
};

async function sendFirst(opening: Promise<Socket>, bytes: Buffer) {
  const socket = await opening;
  socket.write(bytes);
  return socket;
}
