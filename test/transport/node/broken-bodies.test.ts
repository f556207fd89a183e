// Bodies over HTTP/1.1 that cannot be parsed: no more of them can arrive, so nothing waits for the rest.

import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { startTestServer } from '../../support/rpc-server.ts';

const CHUNKED = [
  'POST /ect.v1.AuthorityService/Issue HTTP/1.1',
  'Host: localhost',
  'Content-Type: application/json',
  'Transfer-Encoding: chunked\r\n\r\n',
].join('\r\n');
const HEALTH = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n';

const BROKEN = [
  ['a chunk extension of 40,000 bytes', `2;a=${'y'.repeat(40_000)}\r\n{}\r\n0\r\n\r\n`, '413'],
  ['trailers of 35,000 bytes', `2\r\n{}\r\n0\r\n${'X-Trailer: y\r\n'.repeat(2_500)}\r\n`, '431'],
  ['a chunk whose size is no number', '2\r\n{}\r\nx\r\n\r\n', '400'],
] as const;

/** The statuses of all responses to these bytes, until the service closes the connection. */
async function statusesOf(bytes: string, isHalfClosed = false) {
  await using running = await startTestServer();
  const socket = connect({ port: running.server.address.port, host: '127.0.0.1', allowHalfOpen: isHalfClosed });
  let heard = '';
  socket.on('error', () => undefined).setEncoding('latin1');
  socket.on('data', (text: string) => {
    heard += text;
  });
  socket.write(bytes);
  if (isHalfClosed) socket.end();
  await once(socket, 'end');
  socket.destroy();
  return { statuses: [...heard.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status), seen: running.seen };
}

test.each(BROKEN)(
  'RFC 9112: a body with %s is rejected at once, and the call does not begin',
  async (_, body, status) => {
    expect(await statusesOf(CHUNKED + body)).toEqual({ statuses: [status], seen: [] });
  },
);

test('RFC 9112: a peer that ends its side within a body is answered at once', async () => {
  expect(await statusesOf(`${CHUNKED}2\r\n{`, true)).toEqual({ statuses: ['400'], seen: [] });
});

test('RFC 9112: the requests before a broken body are answered first', async () => {
  const { statuses } = await statusesOf(HEALTH + HEALTH + CHUNKED + BROKEN[2][1]);
  expect(statuses).toEqual(['200', '200', '400']);
});

test('RFC 9112: a complete request before bytes that are no request is answered first', async () => {
  const { statuses } = await statusesOf(`${HEALTH}no request at all\r\n\r\n`);
  expect(statuses).toEqual(['200', '400']);
});
