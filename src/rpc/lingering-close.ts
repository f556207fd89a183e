// The end of an HTTP/1.1 connection on which a peer may still be sending. Closing a socket that holds unread bytes resets the
// connection, and a reset takes back the answer that the peer has not read yet (RFC 9112, section 9.6).

import type { Socket } from 'node:net';

/** For how long what still comes is thrown away, in milliseconds. */
const LINGER_MS = 1_000;

const lingering = new WeakSet<Socket>();

/** Makes the orderly ends of a socket, also those of Node's HTTP server, end in two steps. */
export function lingerAtEnd(socket: Socket): void {
  socket.destroySoon = () => linger(socket);
}

/** Nothing is answered any more: what comes now has come after `Connection: close`. */
export function isLingering(socket: Socket): boolean {
  return lingering.has(socket);
}

/** Ends our side when `last` and all before it is written, and the connection when the peer has ended its side, or soon. */
export function linger(socket: Socket, last?: string): void {
  if (socket.destroyed || lingering.has(socket)) return;
  lingering.add(socket);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
  if (last === undefined) socket.end();
  else socket.end(last);
  socket.resume();
}
