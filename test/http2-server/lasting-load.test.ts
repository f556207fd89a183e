// A connection on which each turn of the event loop has time for one request, and more arrive in each.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { queryObjects } from 'node:v8';
import { expect, test, vi } from 'vitest';
import { FRAME } from '../../bench/http2-frames.ts';
import { Connection, DEFAULT_LIMITS, writeHeaderBlock } from '../../src/http2-server/index.ts';
import { Stream } from '../../src/http2-server/stream.ts';
import { SOON } from '../support/soon.ts';
import { begin, whole } from './raw-frames.ts';
import { openPeer } from './raw-peer.ts';

const TURNS = {
  begin: () => true,
  mayContinue: false,
  end: () => undefined,
  defer: (goOn: () => void) => setImmediate(goOn),
};
const OPEN = 64;
const ANSWERS = 2_000;

test('H10: streams that have ended are not kept, and onRead is called for one whose body is missing', async () => {
  const sockets: Socket[] = [];
  const read: number[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.push(socket);
    new Connection(socket, {
      limits: DEFAULT_LIMITS,
      turns: TURNS,
      serve: (stream) => ({
        onData: (part) => stream.consumed(part.length),
        onRead: () => void read.push(stream.id),
        onEnd: () => stream.respond(writeHeaderBlock([[':status', '200']]), true),
        onGone: () => undefined,
      }),
      onFailure: () => undefined,
      onBug: (thrown) => expect.unreachable(String(thrown)),
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  using peer = await openPeer(server.address() as AddressInfo);
  // Other files of tests in this process may have left some.
  const before = queryObjects(Stream, { format: 'count' });
  let next = 3;
  let answers = 0;
  let mostStreams = 0;
  const send = (count: number) => {
    const requests = Array.from({ length: count }, (_, at) => whole(next + 2 * at));
    next += 2 * count;
    peer.send(...requests);
  };
  peer.socket.on('data', () => {
    const ended = peer.frames.splice(0).filter(({ type }) => type === FRAME.headers).length;
    answers += ended;
    if (ended > 0) send(ended);
    if (answers >= ANSWERS && mostStreams === 0) mostStreams = queryObjects(Stream, { format: 'count' });
  });
  peer.send(begin(1));
  send(OPEN);
  try {
    await vi.waitFor(() => expect(answers).toBeGreaterThan(ANSWERS), { ...SOON, interval: 5 });
    expect(read).toContain(1);
    expect(mostStreams - before).toBeLessThan(4 * OPEN);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});
