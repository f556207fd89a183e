// A proxy in front of a server that ends a connection when a certain text comes by, before or after the server has it.

import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PostgresServer } from '../../support/postgres.ts';

/** Where a connection ends: the server never gets the text, or nobody hears what it answers. */
export interface Cut {
  readonly when: 'before' | 'after';
  readonly text: string;
}

export interface CutProxy {
  /** The directory of its socket. */
  readonly host: string;
  /** How the next connection with the text ends; undefined: as it should. */
  cut: Cut | undefined;
  close(): Promise<void>;
}

export async function startCutProxy({ host, port }: PostgresServer): Promise<CutProxy> {
  const folder = mkdtempSync(join(tmpdir(), 'ect-cut-'));
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = createConnection(join(host, `.s.PGSQL.${port}`));
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    client.on('data', (bytes) => {
      const place = proxy.cut === undefined ? -1 : bytes.indexOf(proxy.cut.text);
      if (place === -1) return void upstream.write(bytes);
      const isBefore = proxy.cut?.when === 'before';
      proxy.cut = undefined;
      if (isBefore) {
        client.destroy();
        upstream.destroy();
      } else {
        // Once the server answers, it has committed.
        upstream.removeAllListeners('data').once('data', () => client.destroy());
        upstream.write(bytes);
      }
    });
    upstream.on('data', (bytes) => client.write(bytes));
    client.on('close', () => upstream.end());
    upstream.on('close', () => client.end());
  });
  await new Promise<void>((resolve) => server.listen(join(folder, `.s.PGSQL.${port}`), resolve));
  const proxy: CutProxy = {
    host: folder,
    cut: undefined,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return proxy;
}
