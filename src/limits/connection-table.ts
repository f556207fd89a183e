// The connections of the port, limited in total and for each address. A new connection above the limit replaces one that has made no
// call, or the one that has been idle longest, so that a peer that uses the service keeps its connection.

import type { Socket } from 'node:net';
import { networkOf } from './networks.ts';

export interface ConnectionTableLimits {
  readonly maxConnections: number;
  readonly maxPerAddress: number;
}

interface Entry {
  readonly socket: Socket;
  readonly address: string;
  /** The time of the last call that was not rejected for its caller; 0: none yet. */
  lastCallMs: number;
  readonly peer: string;
}

/** A connection used within this time, in milliseconds, is not closed for a new one. */
const RECENT_MS = 1_000;

export class ConnectionTable {
  readonly #limits: ConnectionTableLimits;
  readonly #now: () => number;
  /** Oldest first. */
  readonly #entries = new Map<Socket, Entry>();
  /** A TLS connection has two sockets: the encrypted one and the TCP socket below it. */
  readonly #bySocket = new WeakMap<Socket, Entry>();
  readonly #byPeer = new Map<string, Entry>();
  readonly #perAddress = new Map<string, number>();
  readonly #onRejected: () => void;
  #most: number;

  constructor(
    limits: ConnectionTableLimits,
    onRejected: () => void = () => undefined,
    now: () => number = () => performance.now(),
  ) {
    this.#limits = limits;
    this.#most = limits.maxConnections;
    this.#now = now;
    this.#onRejected = onRejected;
  }

  get size(): number {
    return this.#entries.size;
  }

  sockets(): IterableIterator<Socket> {
    return this.#entries.keys();
  }

  /** Lowers or raises the limit, up to the configured one. Connections above it are closed if they are not in use. */
  limitTo(most: number): void {
    this.#most = Math.min(most, this.#limits.maxConnections);
    while (this.#entries.size > this.#most) {
      const victim = this.#victim(undefined);
      if (victim === undefined) return;
      this.#end(victim);
    }
  }

  /** Accepts a connection, or destroys it if the table is full and no other connection can be closed. Returns whether it was accepted. */
  add(socket: Socket): boolean {
    const address = networkOf(socket.remoteAddress);
    const isCrowded = (this.#perAddress.get(address) ?? 0) >= this.#limits.maxPerAddress;
    if (isCrowded || this.#entries.size >= this.#most) {
      this.#onRejected();
      const victim = this.#victim(isCrowded ? address : undefined);
      if (victim === undefined) {
        socket.destroy();
        return false;
      }
      this.#end(victim);
    }
    const entry = { socket, address, peer: peerOf(socket), lastCallMs: 0 };
    this.#entries.set(socket, entry);
    this.#bySocket.set(socket, entry);
    this.#byPeer.set(entry.peer, entry);
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    socket.once('close', () => this.#delete(entry));
    return true;
  }

  /** Maps this TLS socket to the connection of the TCP socket below it. */
  attach(socket: Socket): void {
    // Peers of a Unix socket have no address, and there is no TLS either.
    if (this.#bySocket.has(socket)) return;
    const entry = this.#byPeer.get(peerOf(socket));
    if (entry !== undefined) this.#bySocket.set(socket, entry);
  }

  /** Records a call on this connection. */
  used(socket: Socket): void {
    const entry = this.#bySocket.get(socket);
    if (entry !== undefined) entry.lastCallMs = this.#now();
  }

  #victim(address: string | undefined): Entry | undefined {
    let silent: Entry | undefined;
    for (const entry of this.#entries.values()) {
      if (address !== undefined && entry.address !== address) continue;
      // The oldest connection that has made no call.
      if (entry.lastCallMs === 0) return entry;
      if (silent === undefined || entry.lastCallMs < silent.lastCallMs) silent = entry;
    }
    return silent !== undefined && silent.lastCallMs < this.#now() - RECENT_MS ? silent : undefined;
  }

  #end(entry: Entry): void {
    this.#delete(entry);
    entry.socket.destroy();
  }

  #delete(entry: Entry): void {
    if (!this.#entries.delete(entry.socket)) return;
    if (this.#byPeer.get(entry.peer) === entry) this.#byPeer.delete(entry.peer);
    const left = this.#perAddress.get(entry.address)! - 1;
    if (left === 0) this.#perAddress.delete(entry.address);
    else this.#perAddress.set(entry.address, left);
  }
}

/** Address and port of the peer, which identify an open connection. */
function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
