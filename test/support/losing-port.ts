// A TCP proxy in front of a server that loses it at a certain write of its clients: all connections end at once, and those that are made
// then too, until the server is back. It reads no protocol: a client that waits for each answer makes one write for each request.

import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface LosingPort {
  readonly port: number;
  /** Writes of clients since the last `loseAt`. */
  readonly writes: number;
  /** How many connections were turned away since then. */
  readonly turnedAway: number;
  /**
   * The server is lost at the write of this number, from 1: 'before' it has it, or 'after' it has answered, when the client does not hear
   * it. It is back after so many connections were turned away. 0: it stays.
   */
  loseAt(write: number, when: 'before' | 'after', connections: number): void;
  /** The server is back, however many connections were turned away. */
  comeBack(): void;
}

/** Closed with the test. */
export async function startLosingPort(serverPort: number): Promise<LosingPort> {
  const sockets = new Set<Socket>();
  const plan = { write: 0, when: 'before', connections: 0 };
  const state = { writes: 0, turnedAway: 0, isLost: false };
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
    const upstream = createConnection(serverPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    client.on('data', (bytes) => {
      state.writes++;
      if (state.writes !== plan.write) return void upstream.write(bytes);
      if (plan.when === 'before') return lose();
      upstream.removeAllListeners('data').once('data', lose);
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => client.write(bytes));
    client.on('close', () => upstream.end());
    upstream.on('close', () => client.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    port: (server.address() as AddressInfo).port,
    get writes() {
      return state.writes;
    },
    get turnedAway() {
      return state.turnedAway;
    },
    loseAt: (write, when, connections) => {
      Object.assign(plan, { write, when, connections });
      Object.assign(state, { writes: 0, turnedAway: 0, isLost: false });
    },
    comeBack: () => {
      state.isLost = false;
    },
  };
}
