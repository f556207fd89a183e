// What does not go the short way goes by the passage, and must not notice: real clients against Node's own server.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import * as http2 from 'node:http2';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { h2loadVersion } from '../../bench/h2load.ts';
import { Connection, DEFAULT_LIMITS, Passage, writeHeaderBlock } from '../../src/h2/index.ts';
import { describeWhen, describeWith } from '../support/need.ts';
import { SOON } from '../support/soon.ts';
import { begin, CODE, data, hello, reset, resets, whole } from './raw-frames.ts';
import { echo, openPeer } from './raw-peer.ts';

const MIB = 1 << 20;
const run = promisify(execFile);
const endings: (() => void)[] = [];

afterEach(() => {
  for (const end of endings.splice(0)) end();
});

/** A server whose path /short is answered by the engine itself, and all others by Node's server. Answers its URL. */
async function start(onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void) {
  const inner = http2.createServer();
  inner.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    // What was reset in the meantime is told too, and cannot be answered.
    if (!stream.destroyed) onStream(stream, headers);
  });
  const failures: Error[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    const passage = new Passage(socket, (duplex) => void inner.emit('connection', duplex));
    new Connection(socket, {
      limits: DEFAULT_LIMITS,
      serve: (stream) => (stream.head.path === '/short' ? echo(stream) : passage.carry(stream)),
      onFailure: (error) => failures.push(error),
      onBug: (thrown) => failures.push(thrown as Error),
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  endings.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, failures };
}

function connect(url: string): http2.ClientHttp2Session {
  const session = http2.connect(url);
  session.on('error', () => undefined);
  endings.push(() => session.destroy());
  return session;
}

async function post(session: http2.ClientHttp2Session, path: string, body: Buffer) {
  const stream = session.request({ ':method': 'POST', ':path': path });
  const trailers = once(stream, 'trailers');
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.end(body);
  const [fields] = (await trailers) as [http2.IncomingHttpHeaders];
  if (!stream.readableEnded) await once(stream, 'end');
  return { body: Buffer.concat(chunks), trailers: fields };
}

const LONG = writeHeaderBlock([
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/long'],
]);

/** Sends the body back with a trailer. */
function mirror(stream: http2.ServerHttp2Stream): void {
  stream.respond({ ':status': 200 }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-end': 'yes' }));
  stream.pipe(stream);
}

describe.each(['/short', '/long'])('bodies both ways, over %s', (path) => {
  test.each([0, 1, 16_384, 65_535, 65_536, 256 * 1024, 4 * MIB])('%d bytes', async (length) => {
    const { url, failures } = await start(mirror);
    const body = randomBytes(length);
    const answer = await post(connect(url), path, body);
    expect(answer.body.equals(body)).toBe(true);
    expect(answer.trailers).toMatchObject({ 'x-end': 'yes' });
    expect(failures).toEqual([]);
  });

  test('many at once, beside each other and the other way', async () => {
    const { url, failures } = await start(mirror);
    const session = connect(url);
    const bodies = Array.from({ length: 60 }, (_, place) => randomBytes(place * 3000));
    const answers = await Promise.all(bodies.map((body, place) => post(session, place % 3 ? path : '/long', body)));
    expect(answers.map((answer, place) => answer.body.equals(bodies[place]!))).toEqual(bodies.map(() => true));
    expect(failures).toEqual([]);
  });
});

describe('over the passage', () => {
  test('headers arrive as they were, with the path, doubles and cookies', async () => {
    const { promise, resolve } = Promise.withResolvers<http2.IncomingHttpHeaders>();
    const { url } = await start((stream, headers) => {
      resolve(headers);
      stream.respond({ ':status': 204, 'set-cookie': ['a=1', 'b=2'] }, { endStream: true });
    });
    const stream = connect(url).request({ ':path': '/long?q=1', 'x-many': ['a', 'b'], cookie: 'c=3', 'x-bytes': 'é' });
    const [answer] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    expect(await promise).toMatchObject({
      ':method': 'GET',
      ':path': '/long?q=1',
      'x-many': 'a, b',
      cookie: 'c=3',
      'x-bytes': 'é',
    });
    expect(answer).toMatchObject({ ':status': 204, 'set-cookie': ['a=1', 'b=2'] });
  });

  test('an answer of headers alone ends with them', async () => {
    const { url } = await start((stream) =>
      stream.respond({ ':status': 200, 'grpc-status': '12' }, { endStream: true }),
    );
    const stream = connect(url).request({ ':method': 'POST', ':path': '/long' });
    stream.end();
    const [, flags] = (await once(stream, 'response')) as [unknown, number];
    expect(flags & http2.constants.NGHTTP2_FLAG_END_STREAM).toBe(http2.constants.NGHTTP2_FLAG_END_STREAM);
  });

  test('what is said before the answer arrives before it', async () => {
    const { url } = await start((stream) => {
      stream.additionalHeaders({ ':status': 103, link: '</a>' });
      stream.respond({ ':status': 200 });
      stream.end('x');
    });
    const stream = connect(url).request({ ':path': '/long' });
    const statuses: unknown[] = [];
    stream.on('headers', (headers) => statuses.push(headers[':status'], headers['link']));
    stream.on('response', (headers) => statuses.push(headers[':status']));
    expect(await text(stream)).toBe('x');
    expect(statuses).toEqual([103, '</a>', 200]);
  });

  test('trailers of a request arrive', async () => {
    const { promise, resolve } = Promise.withResolvers<http2.IncomingHttpHeaders>();
    const { url } = await start((stream) => {
      stream.on('trailers', resolve);
      stream.resume();
      stream.respond({ ':status': 200 }, { endStream: true });
    });
    const stream = connect(url).request({ ':method': 'POST', ':path': '/long' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1' }));
    stream.end('x');
    expect(await promise).toMatchObject({ 'x-sum': '1' });
  });

  test('parts arrive as they are sent, in both directions', async () => {
    const { url } = await start((stream) => {
      stream.respond({ ':status': 200 });
      stream.on('data', (chunk: Buffer) => stream.write(`<${chunk.toString()}>`));
      stream.on('end', () => stream.end('.'));
    });
    const stream = connect(url).request({ ':method': 'POST', ':path': '/long' });
    for (const word of ['one', 'two']) {
      stream.write(word);
      const [chunk] = (await once(stream, 'data')) as [Buffer];
      expect(chunk.toString()).toBe(`<${word}>`);
    }
    stream.end();
    expect(await text(stream)).toBe('.');
  });

  test('a reset in the middle of an answer is no end', async () => {
    const { url } = await start((stream) => {
      stream.respond({ ':status': 200 });
      stream.write('half', () => stream.destroy(new Error('on purpose')));
    });
    const stream = connect(url).request({ ':method': 'POST', ':path': '/long' });
    stream.on('error', () => undefined);
    stream.resume();
    stream.end();
    await new Promise((resolve) => stream.once('close', resolve));
    expect(stream.rstCode).toBe(http2.constants.NGHTTP2_INTERNAL_ERROR);
  });

  test.each(['the stream is cancelled', 'the connection is cut'])('H14: %s: the server is told', async (title) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const { url } = await start((stream) => {
      stream.on('close', resolve);
      begin();
    });
    const session = connect(url);
    const stream = session.request({ ':method': 'POST', ':path': '/long' });
    stream.on('error', () => undefined);
    await begun;
    if (title.startsWith('the stream')) stream.close(http2.constants.NGHTTP2_CANCEL);
    else session.destroy();
    await promise;
  });

  test('who does not read holds back who writes, not the others', async () => {
    let written = 0;
    const { url } = await start((stream, { ':path': path }) => {
      stream.respond({ ':status': 200 });
      if (path !== '/endless') {
        stream.end('ok');
        return;
      }
      const fill = () => {
        if (stream.destroyed) return;
        written += MIB;
        if (stream.write(Buffer.alloc(MIB))) setImmediate(fill);
      };
      stream.on('drain', fill);
      fill();
    });
    const session = connect(url);
    const endless = session.request({ ':path': '/endless' });
    await once(endless, 'response');
    for (let round = 0; round < 20; round++) expect(await text(session.request({ ':path': '/other' }))).toBe('ok');
    expect(written).toBe(MIB);
    endless.resume();
    await vi.waitFor(() => expect(written).toBeGreaterThan(20 * MIB), SOON);
    endless.close();
  });
});

describe('what a peer can say to break the passage breaks its own stream', () => {
  test.each<[string, (readonly [string, string])[]]>([
    [
      'that name one thing twice',
      [
        ['content-type', 'a'],
        ['content-type', 'b'],
      ],
    ],
    ['with a name that objects have', [['__proto__', 'x']]],
    ['that Node forbids', [['http2-settings', 'x']]],
    ['with strange bytes', [['x', '\u0080ÿ']]],
  ])('trailers %s', async (_title, trailers) => {
    const { url, failures } = await start(mirror);
    using peer = await openPeer({ port: Number(new URL(url).port) }, hello());
    peer.send(begin(1, LONG), data(1, 'body'), whole(1, writeHeaderBlock(trailers)));
    await peer.settled();
    const { body } = await post(connect(url), '/long', Buffer.from('still there'));
    expect(body.toString()).toBe('still there');
    expect(resets(peer).filter(([, code]) => code !== CODE.protocol)).toEqual([]);
    expect(failures).toEqual([]);
  });

  test('H1: bursts of resets at every stage: the connection ends, others are served', async () => {
    const { url, failures } = await start(mirror);
    const other = connect(url);
    const stages = [
      (id: number) => [begin(id, LONG), reset(id)],
      (id: number) => [begin(id, LONG), data(id, 'body'), reset(id)],
      (id: number) => [whole(id, LONG), reset(id)],
      (id: number) => [begin(id, LONG), whole(id, writeHeaderBlock([['x-end', 'yes']])), reset(id)],
    ];
    for (const stage of stages) {
      using peer = await openPeer({ port: Number(new URL(url).port) }, hello());
      // In many packets, so that the other side is met in every state.
      for (let id = 1; id < 6_000 && !peer.isClosed(); id += 20) {
        peer.send(...Array.from({ length: 10 }, (_, at) => stage(id + 2 * at)).flat());
        if (id % 200 === 1) await peer.settledOrClosed();
      }
      expect(await peer.closed()).toBe(CODE.calm);
      expect((await post(other, '/long', Buffer.from('x'))).body.toString()).toBe('x');
    }
    expect(failures).toHaveLength(stages.length);
  });

  test('connections that are cut while much is under way', async () => {
    const { url } = await start(mirror);
    const other = connect(url);
    for (let round = 0; round < 50; round++) {
      using peer = await openPeer({ port: Number(new URL(url).port) }, hello());
      peer.send(
        ...Array.from({ length: 40 }, (_, at) => [begin(2 * at + 1, LONG), data(2 * at + 1, 'x'.repeat(500))]).flat(),
      );
      if (round % 2 === 0) await peer.settled();
      peer.socket.resetAndDestroy();
    }
    expect((await post(other, '/long', Buffer.from('x'))).body.toString()).toBe('x');
  });
});

describeWith('curl', 'curl', () => {
  test('speaks HTTP/2 at once to both ways', async () => {
    const { url } = await start(mirror);
    for (const path of ['/short', '/long']) {
      const args = ['-sS', '--http2-prior-knowledge', '-d', 'hello', '-w', ' %{http_version} %{http_code}', url + path];
      expect((await run('curl', args)).stdout).toBe('hello 2 200');
    }
  });
});

describeWhen((await h2loadVersion()) !== undefined, 'h2load', 'h2load', () => {
  test('counts every call of 20,000 as good', async () => {
    const { url, failures } = await start(mirror);
    const { stdout } = await run('h2load', ['-n', '20000', '-c', '4', '-m', '50', '-H', 'x-a: b', `${url}/short`]);
    expect(stdout).toContain('20000 succeeded, 0 failed, 0 errored, 0 timeout');
    expect(failures).toEqual([]);
  });
});
