// Connections of attackers: plain or TLS, from their own address, ready to be used or left half open.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Target } from '../support/target.ts';
import { tally } from './tally.ts';

/** A TCP connection with nothing on it. */
export async function openTcp({ host, port, from }: Target): Promise<Socket> {
  const socket = connect({ host, port, localAddress: from, noDelay: true });
  socket.on('error', () => undefined);
  await established(socket, 'connect');
  return socket;
}

/** A connection that speaks the protocol: cleartext, or TLS with this protocol agreed on. */
export async function openSocket(target: Target, protocol: 'h2' | 'http/1.1'): Promise<Socket> {
  const { tls } = target;
  const tcp = await openTcp(target);
  if (tls === undefined) return tcp;
  const socket = connectTls({ socket: tcp, ...tls, servername: 'localhost', ALPNProtocols: [protocol] });
  socket.on('error', () => undefined);
  await established(socket, 'secureConnect');
  return socket;
}

async function established(socket: Socket, event: string): Promise<void> {
  const closed = once(socket, 'close').then(() => {
    throw new Error('the connection was closed');
  });
  await Promise.race([once(socket, event), closed]);
  closed.catch(() => undefined);
  tally('connections');
}
