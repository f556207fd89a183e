// A socket between the service and its agent that can do what a process does that hangs, or goes mad: keep its connections and say nothing
// more, or write bytes that are no HTTP/2. Who takes its place listens at the same path, by a socket of its own.

import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class AgentRelay implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ect-relay-'));
  readonly path = join(this.#folder, 'agent.sock');
  readonly address = `unix://${this.path}`;
  readonly #sockets = new Set<Socket>();
  #clients = new Set<Socket>();
  #server: Server | undefined;

  /** Listens at the path, by a new socket, for the agent at `target`. Connections that there are stay open. */
  async replace(target: string): Promise<void> {
    this.#server?.close();
    rmSync(this.path, { force: true });
    this.#clients = new Set();
    const clients = this.#clients;
    const server = createServer((client) => {
      const agent = connect(target);
      clients.add(client);
      for (const socket of [client, agent]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
      }
      client.on('close', () => agent.destroy());
      agent.on('close', () => client.destroy());
      client.pipe(agent);
      agent.pipe(client);
    });
    await new Promise<void>((resolve) => server.listen(this.path, resolve));
    this.#server = server;
  }

  /** From now on nothing passes on the connections that there are, and none of them is closed. */
  hang(): void {
    for (const socket of this.#sockets) socket.unpipe().pause().removeAllListeners('close');
  }

  /** Writes these bytes to the clients that there are, amid whatever the agent is saying. */
  write(bytes: Uint8Array): void {
    for (const client of this.#clients) client.write(bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
