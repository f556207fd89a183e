// What clients do over TLS: one that reads slowly gets all of a large response, and those that leave are forgotten.

import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import {
  type CertificateAuthority,
  createCertificateAuthority,
  issueServerCertificate,
} from '../support/certificates.ts';
import { startTestServer, type TestServer } from '../support/rpc-server.ts';
import { SOON } from '../support/soon.ts';

const LARGE = `{"keys":["${'k'.repeat(2 * 1024 * 1024)}"]}`;

let authority: CertificateAuthority;
let running: TestServer;
beforeAll(async () => {
  authority = createCertificateAuthority();
  running = await startTestServer({ tls: issueServerCertificate(authority), jwks: () => LARGE });
});
afterAll(async () => {
  await running[Symbol.asyncDispose]();
  authority[Symbol.dispose]();
});

async function open(): Promise<TLSSocket> {
  const { port } = running.server.address;
  const socket = connect({ port, host: '127.0.0.1', ca: authority.cert, ALPNProtocols: ['http/1.1'] });
  await once(socket, 'secureConnect');
  return socket;
}

test('a client that reads slowly gets all of a large response', async () => {
  const socket = await open();
  socket.write('GET /.well-known/jwks.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  let body = '';
  while (!body.endsWith(']}')) {
    const chunk = socket.read(16 * 1024) as Buffer | null;
    if (chunk === null) await once(socket, 'readable');
    else body += chunk.toString();
    await new Promise(setImmediate);
  }
  expect(body.slice(body.indexOf('\r\n\r\n') + 4)).toBe(LARGE);
  socket.destroy();
});

test('clients that leave while they are answered, by an end or by a reset, leave no connection behind', async () => {
  const sockets = await Promise.all(Array.from({ length: 20 }, open));
  for (const [nth, socket] of sockets.entries()) {
    socket.on('error', () => undefined);
    socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    if (nth % 2 === 0) socket.destroy();
    else socket.end();
  }
  await vi.waitFor(async () => {
    const open = /ect_limit_in_use\{limit="connections"\} (\d+)/.exec(await running.events.metrics())?.[1];
    expect(Number(open)).toBe(0);
  }, SOON);
});
