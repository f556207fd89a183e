// The generator against a real HTTP/2 server: what it says of calls must be what the server did.

import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { GrpcConnection, NO_STATUS } from '../../bench/grpc-connection.ts';
import { writeHeaderBlocks } from '../../bench/http2-frames.ts';
import type { ClosedOrder, OpenOrder } from '../../bench/load-order.ts';
import { closedLoop, dueTimes, openLoop } from '../../bench/loops.ts';

const PATH = '/test.Service/Method';
const started: { server: Http2Server; connections: GrpcConnection[] }[] = [];

afterEach(async () => {
  for (const { server, connections } of started.splice(0)) {
    for (const connection of connections) connection.close();
    await new Promise((resolve) => server.close(resolve));
  }
});

interface Seen {
  readonly body: Buffer;
  readonly headers: Record<string, unknown>;
}

/** A server that answers each call by `answer`, and this many connections to it. */
async function connectTo(
  answer: (stream: ServerHttp2Stream, seen: Seen) => void,
  count = 1,
  maxConcurrentStreams = 100,
) {
  const server = createServer({ settings: { maxConcurrentStreams } });
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', () => undefined);
    stream.on('end', () => answer(stream, { body: Buffer.concat(chunks), headers: { ...headers } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const blocks = writeHeaderBlocks(url, PATH);
  const onLost = (why: string) => expect.unreachable(why);
  const connections = await Promise.all(Array.from({ length: count }, () => GrpcConnection.open(url, blocks, onLost)));
  started.push({ server, connections });
  return connections;
}

/** Answers in three parts, headers, body and trailers, as gRPC does. */
function reply(stream: ServerHttp2Stream, status: number): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(status) }));
  stream.end(Buffer.alloc(1000));
}

const closed = (calls: number, streams: number) => ({ calls, streams }) as ClosedOrder;
const open = (phases: OpenOrder['phases'], deadlineMs: number) => ({ phases, deadlineMs }) as OpenOrder;

describe('a closed loop', () => {
  test('makes exactly the calls that were ordered, each body in turn, over every connection', async () => {
    const bodies = new Map<string, number>();
    const connections = await connectTo((stream, { body }) => {
      bodies.set(body.toString(), (bodies.get(body.toString()) ?? 0) + 1);
      reply(stream, 0);
    }, 3);
    const result = await closedLoop(connections, [Buffer.from('a'), Buffer.from('b')], closed(1000, 8));
    expect(result.statuses).toEqual({ 0: 1000 });
    expect(bodies).toEqual(
      new Map([
        ['a', 500],
        ['b', 500],
      ]),
    );
    expect(result.p50Ms).toBeGreaterThan(0);
    expect(result.p99Ms).toBeGreaterThanOrEqual(result.p50Ms);
  });

  test('keeps no more calls open than requested', async () => {
    let now = 0;
    let most = 0;
    const connections = await connectTo((stream) => {
      most = Math.max(most, ++now);
      setImmediate(() => {
        now--;
        reply(stream, 0);
      });
    });
    await closedLoop(connections, [Buffer.from('a')], closed(200, 5));
    expect(most).toBe(5);
  });

  test('sends every header with every call, the first and the later ones', async () => {
    const seen: Seen['headers'][] = [];
    const connections = await connectTo((stream, { headers }) => {
      seen.push(headers);
      reply(stream, 0);
    });
    await closedLoop(connections, [Buffer.from('a')], closed(3, 1));
    expect(seen).toHaveLength(3);
    for (const headers of seen) {
      expect(headers).toMatchObject({
        ':method': 'POST',
        ':scheme': 'http',
        ':path': PATH,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
    }
  });

  test('sends bodies beyond the flow control window whole', async () => {
    const large = Buffer.alloc(300_000, 'x');
    const sizes: number[] = [];
    const connections = await connectTo((stream, { body }) => {
      sizes.push(body.equals(large) ? body.length : -1);
      reply(stream, 0);
    });
    await closedLoop(connections, [large], closed(6, 3));
    expect(sizes).toEqual(Array.from({ length: 6 }, () => 300_000));
  });

  test('tells rejections, answers without a body and broken streams apart', async () => {
    let call = 0;
    const connections = await connectTo((stream) => {
      switch (call++ % 4) {
        case 0:
          return reply(stream, 0);
        case 1:
          return reply(stream, 14);
        case 2:
          return stream.respond({ ':status': 200, 'grpc-status': '8' }, { endStream: true });
        default:
          return stream.close(2);
      }
    });
    const { statuses } = await closedLoop(connections, [Buffer.from('a')], closed(40, 4));
    expect(statuses).toEqual({ 0: 10, 14: 10, 8: 10, [NO_STATUS]: 10 });
  });
});

describe('an open loop', () => {
  test('spreads the calls of each phase evenly', () => {
    const phases = [
      { perSecond: 2, seconds: 1 },
      { perSecond: 4, seconds: 0.5 },
    ];
    expect(dueTimes(phases)).toEqual([0, 500, 1000, 1250]);
  });

  test('makes its calls at their rate however slowly they are answered, and counts from when they were due', async () => {
    const waiting: ServerHttp2Stream[] = [];
    const connections = await connectTo((stream) => {
      waiting.push(stream);
      // Nothing is answered before all are there: a loop that waits for answers would never end.
      if (waiting.length === 50) for (const each of waiting) reply(each, 0);
    }, 2);
    const { samples } = await openLoop(connections, [Buffer.from('a')], open([{ perSecond: 50, seconds: 1 }], 60_000));
    expect(samples.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 0));
    // The first call was due 980 ms before the last, so it has waited longer, also where a busy machine reads late.
    expect(samples[0]!.latencyMs! - samples[49]!.latencyMs!).toBeGreaterThan(490);
  });

  test('a call says what is left of its deadline when it is sent', async () => {
    const timeouts: number[] = [];
    const connections = await connectTo(
      (stream, { headers }) => {
        timeouts.push(Number(/^(\d+)m$/.exec(String(headers['grpc-timeout']))?.[1]));
        setTimeout(() => reply(stream, 0), 50);
      },
      1,
      1,
    );
    await openLoop(connections, [Buffer.from('a')], open([{ perSecond: 1000, seconds: 0.002 }], 60_000));
    expect(timeouts[0]).toBeLessThanOrEqual(60_000);
    expect(timeouts[0]).toBeGreaterThan(30_000);
    // The second has waited for the only stream.
    expect(timeouts[1]).toBeLessThanOrEqual(timeouts[0]! - 45);
  });

  test('a call that finds no free stream before its deadline is given up, not sent', async () => {
    let calls = 0;
    const connections = await connectTo(
      (stream) => {
        calls++;
        setTimeout(() => reply(stream, 0), 150);
      },
      1,
      2,
    );
    const { samples } = await openLoop(connections, [Buffer.from('a')], open([{ perSecond: 100, seconds: 0.2 }], 50));
    const sent = samples.filter(({ status }) => status === 0);
    expect(sent).toHaveLength(calls);
    expect(samples.filter(({ status }) => status === undefined).length).toBe(20 - calls);
    expect(calls).toBeLessThan(10);
  });
});
