// Header blocks and the rules of their fields against Node's HTTP/2 server (nghttp2): what we take, it takes, and reads alike.

import { once } from 'node:events';
import { createServer, type Http2Server } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FRAME, readFrames } from '../../bench/http2-frames.ts';
import { HpackDecoder } from '../../src/http2-server/hpack.ts';
import { readRequestHead } from '../../src/http2-server/request-head.ts';
import { hello, ping, whole } from '../http2-server/raw-frames.ts';
import { fc } from '../support/random.ts';

const RUNS = 400;
const LIMIT = 16_384;
const TAB = 9;
/** Their places in the static table. A length is compared with the body elsewhere; `host` has tests of its own below. */
const CONTENT_LENGTH = 28;
const HOST = 38;

let server: Http2Server;
let heard: (readonly string[])[] = [];

beforeAll(async () => {
  server = createServer({ maxHeaderListPairs: 1000 });
  server.on('sessionError', () => undefined);
  server.on('stream', (stream, _headers, _flags, raw) => {
    heard.push(raw as unknown as string[]);
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200 }, { endStream: true });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterAll(() => void server.close());

/** The lists that Node's server hands on, for blocks that come one after the other on one connection. */
async function readByNode(blocks: readonly Buffer[]): Promise<readonly (readonly string[])[]> {
  heard = [];
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  const closed = once(socket, 'close').catch(() => undefined);
  const { promise: answered, resolve } = Promise.withResolvers<void>();
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.from(
      readFrames(Buffer.concat([rest, chunk]), ({ type, flags }) => {
        if (type === FRAME.ping && flags === 1) resolve();
      }),
    );
  });
  socket.write(Buffer.concat([hello(), ...blocks.map((block, at) => whole(2 * at + 1, block)), ping()]));
  await Promise.race([answered, closed]);
  // An answer to the ping means that all before it was read; the handlers run in the same turn or the next.
  await new Promise((done) => setImmediate(done));
  socket.destroy();
  await closed;
  return heard;
}

/** The lists that we would serve, up to a block that ends the connection. */
function readByUs(blocks: readonly Buffer[]): {
  readonly lists: readonly (readonly string[])[];
  readonly isCut: boolean;
} {
  const decoder = new HpackDecoder(LIMIT);
  const lists: (readonly string[])[] = [];
  try {
    for (const block of blocks) {
      const list = decoder.decode(block);
      if (readRequestHead(list, false) !== undefined) lists.push([...list]);
    }
    return { lists, isCut: false };
  } catch {
    return { lists, isCut: true };
  }
}

const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')]);
const value = fc.oneof(
  fc.constantFrom('', 'trailers', 'x', ' x', 'x ', 'a\tb', '\0', 'a\nb', 'é', '5', '-1'),
  fc.string({ unit: 'binary-ascii', maxLength: 20 }),
);
const name = fc.constantFrom('a', 'b-c', 'te', 'cookie', 'A', 'x y', '', 'connection', 'upgrade', ':path', ':x', 'x-z');
const field = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .integer({ min: 1, max: 70 })
      .filter((place) => ![CONTENT_LENGTH, HOST].includes(place))
      .map((place) => Buffer.from([0x80 | place])),
  },
  {
    weight: 8,
    arbitrary: fc
      .tuple(fc.constantFrom(0x40, 0, 0x10), name, value)
      .map(([kind, n, v]) => Buffer.concat([Buffer.from([kind]), text(n), text(v)])),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.integer({ min: 1, max: 14 }), value)
      .map(([place, v]) => Buffer.concat([Buffer.from([place]), text(v)])),
  },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 8 }).map((bytes) => Buffer.from(bytes)) },
);
/** POST, http, `/` and an authority: what a request needs. */
const START = Buffer.concat([Buffer.from([0x83, 0x86, 0x84, 0x41]), text('x')]);
const block = fc.array(field, { maxLength: 5 }).map((fields) => Buffer.concat([START, ...fields]));

/** nghttp2 leaves out fields with control characters that RFC 9113 does not forbid, and compares them by their bytes. */
function comparable(list: readonly string[]): string[] {
  const fields: string[] = [];
  for (let at = 0; at < list.length; at += 2) {
    if (Buffer.from(list[at + 1]!, 'latin1').some((octet) => (octet < 0x20 && octet !== TAB) || octet === 0x7f))
      continue;
    fields.push(`${list[at]}=${Buffer.from(list[at + 1]!, 'latin1').toString('hex')}`);
  }
  return fields;
}

test('H10 H6: a header block that we serve is served by nghttp2 too, with the same fields', async () => {
  let served = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(block, { minLength: 1, maxLength: 4 }), async (blocks) => {
      const ours = readByUs(blocks);
      const theirs = (await readByNode(blocks)).map(comparable);
      // After an error of compression Node may not hand on what came before it.
      if (ours.isCut) return;
      served += ours.lists.length;
      for (const list of ours.lists) expect(theirs).toContainEqual(comparable(list));
    }),
    { numRuns: RUNS },
  );
  expect(served).toBeGreaterThan(RUNS / 10);
});

test.each([
  ['empty', ['']],
  ['there twice', ['x', 'x']],
  ['another one than :authority', ['y']],
])('H6: a request whose host is %s is malformed', (_what, hosts) => {
  const fields = hosts.map((host) => Buffer.concat([Buffer.from([0x40]), text('host'), text(host)]));
  expect(readByUs([Buffer.concat([START, ...fields])]).lists).toEqual([]);
});
