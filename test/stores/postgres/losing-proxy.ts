// A proxy in front of a server that loses it at a certain request: all connections end at once, and those that are made then too, until the
// server is back. A request is what a client waits for an answer of: a new connection, a statement.

import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PostgresServer } from '../../support/postgres.ts';

/** Types of the messages that end a request: a query, and the end of an extended query. */
const REQUEST_ENDS = new Set(['Q', 'S'].map((type) => type.charCodeAt(0)));

export interface LosingProxy {
  /** The directory of its socket. */
  readonly host: string;
  /** Requests that have come since the last `loseAt`. */
  readonly requests: number;
  /** How many connections were turned away since then. */
  readonly turnedAway: number;
  /**
   * The server is lost at the request of this number, from 1: 'before' it has it, or 'after' it has answered, when the client does not hear
   * it. It is back after so many connections were turned away. 0: it stays.
   */
  loseAt(request: number, when: 'before' | 'after', connections: number): void;
  close(): Promise<void>;
}

export async function startLosingProxy({ host, port }: PostgresServer): Promise<LosingProxy> {
  const folder = mkdtempSync(join(tmpdir(), 'ect-losing-'));
  const sockets = new Set<Socket>();
  const plan = { request: 0, when: 'before', connections: 0 };
  const state = { requests: 0, turnedAway: 0, isLost: false };
  const lose = () => {
    state.isLost = true;
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((client) => {
    if (state.isLost) {
      state.turnedAway++;
      state.isLost = state.turnedAway < plan.connections;
      client.on('error', () => undefined);
      return void client.destroy();
    }
    const upstream = createConnection(join(host, `.s.PGSQL.${port}`));
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    const count = requestCounter();
    client.on('data', (bytes) => {
      const before = state.requests;
      state.requests += count(bytes);
      const isMet = before < plan.request && plan.request <= state.requests;
      if (!isMet) return void upstream.write(bytes);
      if (plan.when === 'before') return lose();
      upstream.removeAllListeners('data').once('data', lose);
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => client.write(bytes));
    client.on('close', () => upstream.end());
    upstream.on('close', () => client.end());
  });
  await new Promise<void>((resolve) => server.listen(join(folder, `.s.PGSQL.${port}`), resolve));
  return {
    host: folder,
    get requests() {
      return state.requests;
    },
    get turnedAway() {
      return state.turnedAway;
    },
    loseAt: (request, when, connections) => {
      Object.assign(plan, { request, when, connections });
      Object.assign(state, { requests: 0, turnedAway: 0, isLost: false });
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Counts the requests in what a client sends: the first message has no type, each other one has one and its length. */
function requestCounter(): (bytes: Buffer) => number {
  let rest = Buffer.alloc(0);
  let isFirst = true;
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    let found = 0;
    for (;;) {
      const header = isFirst ? 0 : 1;
      if (rest.length < header + 4) return found;
      const end = header + rest.readUInt32BE(header);
      if (rest.length < end) return found;
      if (isFirst || REQUEST_ENDS.has(rest[0]!)) found++;
      isFirst = false;
      rest = rest.subarray(end);
    }
  };
}
