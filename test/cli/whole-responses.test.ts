// The connection of the command-line client, whatever Node's own iterator makes of the stream.

import { once } from 'node:events';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { WholeResponses } from '../../src/cli/whole-responses.ts';
import { SOON } from '../support/soon.ts';

const BODY = 'x'.repeat(40_000);

let server: http2.Http2Server;
let sessions: WholeResponses;

beforeAll(async () => {
  server = http2.createServer();
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    stream.resume();
    if (headers[':path'] === '/empty') stream.respond({ ':status': 200 }, { endStream: true });
    else {
      stream.respond({ ':status': 200 });
      if (headers[':path'] === '/whole') stream.end(BODY);
      else stream.write('part');
    }
    if (headers[':path'] === '/cut') setImmediate(() => stream.session?.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  sessions = new WholeResponses(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {}, {});
});
afterAll(async () => {
  sessions?.abort();
  server?.close();
});

async function open(path: string): Promise<http2.ClientHttp2Stream> {
  const stream = await sessions.request('POST', path, {}, {});
  stream.on('error', () => undefined);
  stream.end();
  return stream;
}

async function read(stream: http2.ClientHttp2Stream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

test.each([
  ['/whole', BODY],
  ['/empty', ''],
])('a response that has arrived whole before it is read is read whole: %s', async (path, body) => {
  const stream = await open(path);
  await vi.waitFor(() => expect(stream.closed).toBe(true), SOON);
  await expect(read(stream)).resolves.toBe(body);
});

test.each(['/whole', '/empty'])('a response is read while it arrives: %s', async (path) => {
  await expect(read(await open(path))).resolves.toBe(path === '/whole' ? BODY : '');
});

test('a response whose connection is lost is an error', async () => {
  await expect(read(await open('/cut'))).rejects.toThrow();
});

test('who stops reading ends the stream', async () => {
  const stream = await open('/endless');
  for await (const chunk of stream) {
    expect((chunk as Buffer).length).toBeGreaterThan(0);
    break;
  }
  expect(stream.destroyed).toBe(true);
});
