// The pieces in which Node's HTTP/1.1 server gets what a connection has brought, whatever bodies are before the requests, and whether
// there is time for all of it at once or for one piece a turn.

import { once } from 'node:events';
import { createServer as createHttp1 } from 'node:http';
import { type AddressInfo, connect, createServer, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ReadFlow, ReadScheduler } from '../../../src/limits/read-scheduler.ts';
import { MeteredSocket } from '../../../src/transport/node/metered-socket.ts';
import { SOON } from '../../support/soon.ts';

const SMALLEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const CHUNKED_BYTES = 2 * 1024;
/** As many of them as end in a piece of that size. */
const [IN_HEADS, IN_CHUNKS] = [Math.ceil(512 / SMALLEST.length), Math.ceil(CHUNKED_BYTES / SMALLEST.length)];
/** Requests that are not answered, before nothing more is read. */
const OPEN = 8;

const post = (bytes: number, more = '') =>
  `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n${more}\r\n${'x'.repeat(bytes)}`;
const chunked = (...sizes: readonly number[]) => {
  const chunks = sizes.map((size) => `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`);
  return `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`;
};

/** Reads one piece after the other without end where `hasTime`, or else one piece a turn; and knows whose turn it is. */
class WatchedReads extends ReadScheduler {
  isInTurn = false;

  constructor(hasTime: boolean) {
    let now = 0;
    super(() => (hasTime ? 0 : now++), hasTime ? 4 : 0);
  }

  override run(flow: ReadFlow, work: () => void): void {
    super.run(flow, () => {
      this.isInTurn = true;
      work();
      this.isInTurn = false;
    });
  }
}

const opened: Socket[] = [];
afterEach(() => {
  for (const socket of opened.splice(0)) socket.destroy();
});

/** Sends each part in one write to a server that answers nothing, the second when the first is parsed. Returns what was parsed at last. */
async function parsed([first, second]: readonly [string, string?], hasTime: boolean) {
  const reads = new WatchedReads(hasTime);
  // `inBody`: in pieces of a size that only those of a body have.
  const seen = { requests: 0, inOnePiece: 0, inBody: 0, outOfTurn: 0, bodyBytes: 0 };
  let piece = { bytes: 0, before: 0 };
  const http1 = createHttp1((request, response) => {
    (request.socket as Duplex as MeteredSocket).requestBegan(request, response);
    seen.requests++;
    seen.inOnePiece = Math.max(seen.inOnePiece, seen.requests - piece.before);
    if (piece.bytes > CHUNKED_BYTES) seen.inBody++;
    if (!reads.isInTurn) seen.outOfTurn++;
    request.on('data', ({ length }: Buffer) => {
      seen.bodyBytes += length;
    });
  });
  const front = createServer((socket) => {
    opened.push(socket);
    const flow = new ReadFlow();
    const metered = new MeteredSocket(socket, { requests: { reads, flow }, bodies: { reads, flow } });
    // Ahead of the listener of Node's server.
    metered.on('data', ({ length }: Buffer) => {
      piece = { bytes: length, before: seen.requests };
    });
    http1.emit('connection', metered);
  }).listen(0, '127.0.0.1');
  await once(front, 'listening');
  const peer = connect((front.address() as AddressInfo).port, '127.0.0.1');
  opened.push(peer);
  peer.on('error', () => undefined);
  await once(peer, 'connect');
  peer.write(first);
  if (second !== undefined) {
    await vi.waitFor(() => expect(seen.requests).toBe(1), SOON);
    peer.write(second);
  }
  await vi.waitFor(() => expect(seen.requests).toBeGreaterThanOrEqual(OPEN), SOON);
  // What would be read in spite of the limit is read in the turns that follow.
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
  front.close();
  return seen;
}

describe.each([
  ['at once', true],
  ['one piece a turn', false],
])('H25: HTTP/1.1 in pieces, %s', (_, hasTime) => {
  // Around the sizes of pieces, and of what the first one holds of the body.
  const SIZES = [0, 300, 460, 700, 30_000, 32_768, 33_200, 65_000];

  test.each([
    ['a body of known length', (size: number) => post(size), IN_HEADS],
    ['a body with Expect', (size: number) => post(size, 'Expect: 100-continue\r\n'), IN_HEADS],
    ['two bodies', (size: number) => post(33_000) + post(size), IN_HEADS],
    ['a body in chunks', (size: number) => chunked(size + 1), IN_CHUNKS],
    ['a body in chunks and one of known length', (size: number) => chunked(500, 3_000) + post(size), IN_CHUNKS],
  ])('behind %s come no more requests in one piece than its size allows', async (_what, bodies, most) => {
    for (const size of SIZES) {
      const { requests, inOnePiece, inBody, outOfTurn } = await parsed(
        [bodies(size) + SMALLEST.repeat(4_000)],
        hasTime,
      );
      expect(inOnePiece, `${size} bytes`).toBeLessThanOrEqual(most);
      expect({ inBody, outOfTurn }, `${size} bytes`).toEqual({ inBody: 0, outOfTurn: 0 });
      expect(requests, `${size} bytes`).toBeLessThan(OPEN + most);
    }
  });

  test('so it is where the end of the body comes later, with the requests', async () => {
    const body = post(33_000);
    for (const size of [100, 600, 20_000, 32_900]) {
      const parts = [body.slice(0, size), body.slice(size) + SMALLEST.repeat(4_000)] as const;
      const { requests, inOnePiece, inBody } = await parsed(parts, hasTime);
      expect(inOnePiece, `${size} bytes`).toBeLessThanOrEqual(IN_HEADS);
      expect(inBody, `${size} bytes`).toBe(0);
      expect(requests, `${size} bytes`).toBeLessThan(OPEN + IN_HEADS);
    }
  });

  test('a body whose length is known comes whole, and so do the requests behind it', async () => {
    const size = 200_000;
    const { requests, bodyBytes } = await parsed([post(size) + SMALLEST.repeat(OPEN - 1)], hasTime);
    expect({ requests, bodyBytes }).toEqual({ requests: OPEN, bodyBytes: size });
  });
});

test.each([
  ['the size of each chunk, its data and the line ends one by one', [5, 1_024, 2, 2], true],
  ['one byte after the other', [1], false],
] as const)('H46: a client that writes %s', (_, sizes, isServed) => {
  const accepted = new Socket();
  opened.push(accepted);
  const failures: Error[] = [];
  const lane = { reads: new WatchedReads(true), flow: new ReadFlow() };
  const metered = new MeteredSocket(accepted, { requests: lane, bodies: lane }, (error) => void failures.push(error));
  for (let sent = 0; sent < 8 * 1024 ** 2 && !metered.destroyed; sent += 1_033) {
    for (const size of sizes) accepted.emit('data', Buffer.alloc(size));
    // Node's parser takes what has arrived.
    while (metered.read() !== null);
  }
  expect(failures.map(({ message }) => message)).toEqual(isServed ? [] : ['requests arrive in too many pieces']);
});

test('H24: a piece that a paused stream keeps stays complete when the memory of its chunk is released', async () => {
  const accepted = new Socket();
  opened.push(accepted);
  const lane = { reads: new ReadScheduler(() => 0), flow: new ReadFlow() };
  const metered = new MeteredSocket(accepted, { requests: lane, bodies: lane });
  const pieces: Buffer[] = [];
  metered.on('data', (piece: Buffer) => void pieces.push(Buffer.from(piece)));
  await new Promise(setImmediate);
  metered.pause();
  const chunks = ['a', 'b'].map((letter) => Buffer.alloc(16 * 1024, letter));
  for (const chunk of chunks) accepted.emit('data', chunk);
  expect(chunks.map(({ length }) => length)).toEqual([0, 0]);
  metered.resume();
  await vi.waitFor(() => expect(metered.hasUnread).toBe(false), SOON);
  await new Promise(setImmediate);
  expect(Buffer.concat(pieces).toString()).toBe('a'.repeat(16 * 1024) + 'b'.repeat(16 * 1024));
});
