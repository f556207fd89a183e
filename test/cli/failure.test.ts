import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { ect } from './run.ts';

const open: { server: Server; sockets: Set<Socket> }[] = [];

afterEach(async () => {
  for (const { server, sockets } of open.splice(0)) {
    for (const socket of sockets) socket.destroy();
    server.close();
    if (server.listening) await once(server, 'close');
  }
});

/** Listens on a free port of the loopback interface until the test is over, and answers the port. */
async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  open.push({ server, sockets });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function closedPort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  server.close();
  await once(server, 'close');
  return port;
}

test('where nothing listens, the command says so and what to do, and exits with 1', async () => {
  const url = `http://127.0.0.1:${await closedPort()}`;
  const { code, out, err } = await ect(['checkpoint', '--url', url]);
  expect(code).toBe(1);
  expect(out).toBe('');
  expect(err).toContain(`nothing answers at ${url}`);
  expect(err).toContain('Start it with `ect serve`, or name another with --url.');
  expect(err).not.toMatch(/^ +at /m);
});

test('with --json a failure is JSON on stdout', async () => {
  const { code, out } = await ect([
    'entry',
    '--index',
    '0',
    '--json',
    '--url',
    `http://127.0.0.1:${await closedPort()}`,
  ]);
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({
    error: { reason: 'unreachable', remedy: expect.stringContaining('ect serve') },
  });
});

test.each(['http', 'https'])('a service that never answers over %s is given up at the deadline', async (scheme) => {
  const port = await listen(createServer());
  const { code, err } = await ect(['checkpoint', '--url', `${scheme}://127.0.0.1:${port}`, '--timeout', '200ms']);
  expect(code).toBe(1);
  expect(err).toContain('timeout');
  expect(err).toContain('within 200 ms');
});

test('a server that is no gRPC service is distinguished from an unreachable one', async () => {
  const port = await listen(createHttpServer((_, response) => response.end('hello')));
  const { code, err } = await ect(['checkpoint', '--url', `http://127.0.0.1:${port}`]);
  expect(code).toBe(1);
  expect(err).toContain('is not an ECT authority');
});

test('https:// towards a service without TLS fails as TLS, and the next step is the address', async () => {
  const port = await listen(createHttpServer((_, response) => response.end('hello')));
  const { code, err } = await ect(['checkpoint', '--url', `https://127.0.0.1:${port}`]);
  expect(code).toBe(1);
  expect(err).toContain('does not speak TLS');
  expect(err).toContain('an address that begins with http://');
});
