// RFC 9113 frame by frame: what ends a stream, what ends the connection, and what must not end anything.

import { describe, expect, test } from 'vitest';
import { FLAG, FRAME, PREFACE, writeFrame } from '../../bench/http2-frames.ts';
import { writeHeaderBlock } from '../../src/http2-server/index.ts';
import {
  answered,
  begin,
  CODE,
  CONTINUATION,
  data,
  end,
  HAS_PRIORITY,
  PADDED,
  PRIORITY,
  PUSH_PROMISE,
  ping,
  requestBlock,
  reset,
  resets,
  setting,
  update,
  whole,
} from './raw-frames.ts';
import { openPeer, startServer } from './raw-peer.ts';

const { protocol: PROTOCOL, flow: FLOW, closed: CLOSED, size: SIZE, compression: COMPRESSION } = CODE;

/** A priority that makes a stream depend on itself. */
function itself(id: number): Buffer {
  return Buffer.from([0, 0, 0, id, 0]);
}

describe('the connection ends', () => {
  test.each<[string, number, Buffer[]]>([
    ['DATA on stream 0', PROTOCOL, [data(0, 'x')]],
    ['DATA without a request', PROTOCOL, [data(1, 'x')]],
    ['HEADERS on stream 0', PROTOCOL, [begin(0)]],
    ['HEADERS on an even stream', PROTOCOL, [begin(2)]],
    ['HEADERS on a stream that has ended', CLOSED, [whole(3), whole(1)]],
    [
      'HEADERS that depend on themselves',
      PROTOCOL,
      [writeFrame(FRAME.headers, FLAG.endHeaders | HAS_PRIORITY, 1, itself(1))],
    ],
    [
      'HEADERS too short for their priority',
      SIZE,
      [writeFrame(FRAME.headers, FLAG.endHeaders | HAS_PRIORITY, 1, Buffer.alloc(4))],
    ],
    ['more padding than payload', PROTOCOL, [begin(), writeFrame(FRAME.data, PADDED, 1, Buffer.from([2, 0]))]],
    ['padded and empty', SIZE, [begin(), writeFrame(FRAME.data, PADDED, 1, Buffer.alloc(0))]],
    ['CONTINUATION of nothing', PROTOCOL, [writeFrame(CONTINUATION, FLAG.endHeaders, 1, requestBlock())]],
    ['a block that is interrupted', PROTOCOL, [writeFrame(FRAME.headers, 0, 1, requestBlock()), data(1, 'x')]],
    [
      'a block that is continued on another stream',
      PROTOCOL,
      [writeFrame(FRAME.headers, 0, 1, requestBlock()), writeFrame(CONTINUATION, FLAG.endHeaders, 3, Buffer.alloc(0))],
    ],
    ['a block that cannot be decoded', COMPRESSION, [begin(1, Buffer.from([0x80]))]],
    ['PRIORITY of four bytes, on no stream yet', SIZE, [writeFrame(PRIORITY, 0, 1, Buffer.alloc(4))]],
    ['PRIORITY that follows itself, on no stream yet', PROTOCOL, [writeFrame(PRIORITY, 0, 1, itself(1))]],
    ['PRIORITY on stream 0', PROTOCOL, [writeFrame(PRIORITY, 0, 0, Buffer.alloc(5))]],
    ['RST_STREAM on stream 0', PROTOCOL, [reset(0)]],
    ['RST_STREAM without a request', PROTOCOL, [reset(1)]],
    ['RST_STREAM of five bytes', SIZE, [begin(), writeFrame(FRAME.reset, 0, 1, Buffer.alloc(5))]],
    ['SETTINGS on a stream', PROTOCOL, [writeFrame(FRAME.settings, 0, 1, Buffer.alloc(0))]],
    ['SETTINGS of five bytes', SIZE, [writeFrame(FRAME.settings, 0, 0, Buffer.alloc(5))]],
    ['an acknowledgement that says something', SIZE, [writeFrame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(6))]],
    ['ENABLE_PUSH of 2', PROTOCOL, [setting(2, 2)]],
    ['INITIAL_WINDOW_SIZE of 2^31', FLOW, [setting(4, 2 ** 31)]],
    ['MAX_FRAME_SIZE of 16383', PROTOCOL, [setting(5, 16_383)]],
    ['MAX_FRAME_SIZE of 2^24', PROTOCOL, [setting(5, 2 ** 24)]],
    ['a window that the settings widen too far', FLOW, [begin(), update(1, 2 ** 31 - 1 - 65_535), setting(4, 65_536)]],
    ['PUSH_PROMISE', PROTOCOL, [writeFrame(PUSH_PROMISE, FLAG.endHeaders, 1, requestBlock())]],
    ['PING on a stream', PROTOCOL, [writeFrame(FRAME.ping, 0, 1, Buffer.alloc(8))]],
    ['PING of seven bytes', SIZE, [writeFrame(FRAME.ping, 0, 0, Buffer.alloc(7))]],
    ['GOAWAY on a stream', PROTOCOL, [writeFrame(FRAME.goAway, 0, 1, Buffer.alloc(8))]],
    ['GOAWAY of seven bytes', SIZE, [writeFrame(FRAME.goAway, 0, 0, Buffer.alloc(7))]],
    ['WINDOW_UPDATE of the connection by nothing', PROTOCOL, [update(0, 0)]],
    ['WINDOW_UPDATE of three bytes', SIZE, [writeFrame(FRAME.windowUpdate, 0, 0, Buffer.alloc(3))]],
    ['WINDOW_UPDATE without a request', PROTOCOL, [update(1, 1)]],
    ['a connection window beyond 2^31 - 1', FLOW, [update(0, 2 ** 31 - 1)]],
    ['a frame larger than 16384 bytes', SIZE, [begin(), writeFrame(FRAME.data, 0, 1, Buffer.alloc(16_385))]],
  ])('%s', async (_title, code, frames) => {
    await using server = await startServer();
    using peer = await openPeer(server);
    peer.send(...frames);
    expect(await peer.closed()).toBe(code);
    expect(server.failures).toHaveLength(1);
  });

  test('when the first frame is not SETTINGS', async () => {
    await using server = await startServer();
    using peer = await openPeer(server, Buffer.concat([PREFACE, ping()]));
    expect(await peer.closed()).toBe(PROTOCOL);
  });

  test('when it does not begin with the preface', async () => {
    await using server = await startServer();
    using peer = await openPeer(server, Buffer.from('PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n'));
    expect(await peer.closed()).toBe(PROTOCOL);
  });

  test('when more is sent than the window of the connection allows', async () => {
    await using server = await startServer({ windowBytes: 65_535 }, () => ({
      onData: () => undefined,
      onEnd: () => undefined,
      onGone: () => undefined,
    }));
    using peer = await openPeer(server);
    peer.send(begin(1), ...Array.from({ length: 4 }, () => data(1, 'x'.repeat(16_384))));
    expect(await peer.closed()).toBe(FLOW);
  });
});

describe('a stream ends, and the connection goes on', () => {
  const head = (fields: readonly (readonly [string, string])[]) => [whole(1, writeHeaderBlock(fields))];
  const [method, scheme, path] = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/x'],
  ] as const;
  test.each<[string, number, Buffer[]]>([
    ['no method', PROTOCOL, head([scheme, path])],
    ['no scheme', PROTOCOL, head([method, path])],
    ['no path', PROTOCOL, head([method, scheme])],
    ['an empty path', PROTOCOL, head([method, scheme, [':path', '']])],
    ['CONNECT', PROTOCOL, head([[':method', 'CONNECT'], scheme, path])],
    ['two paths', PROTOCOL, head([method, scheme, path, path])],
    ['a pseudo-header of answers', PROTOCOL, head([method, scheme, path, [':status', '200']])],
    ['a pseudo-header after a header', PROTOCOL, head([method, scheme, ['a', 'b'], path])],
    ['an upper-case name', PROTOCOL, head([method, scheme, path, ['Te', 'trailers']])],
    ['an empty name', PROTOCOL, head([method, scheme, path, ['', 'x']])],
    ['a blank in a name', PROTOCOL, head([method, scheme, path, ['a b', 'x']])],
    ['a line feed in a value', PROTOCOL, head([method, scheme, path, ['a', 'x\ny']])],
    ['NUL in a value', PROTOCOL, head([method, scheme, path, ['a', 'x\0y']])],
    ['a value that begins with a blank', PROTOCOL, head([method, scheme, path, ['a', ' x']])],
    ['a connection header', PROTOCOL, head([method, scheme, path, ['connection', 'close']])],
    ['transfer-encoding', PROTOCOL, head([method, scheme, path, ['transfer-encoding', 'chunked']])],
    ['te other than trailers', PROTOCOL, head([method, scheme, path, ['te', 'gzip']])],
    ['a length that is no number', PROTOCOL, head([method, scheme, path, ['content-length', '-1']])],
    ['a length without a body', PROTOCOL, head([method, scheme, path, ['content-length', '1']])],
    ['a body shorter than its length', PROTOCOL, [begin(1, requestBlock(['content-length', '3'])), end(1, 'ab')]],
    ['a body longer than its length', PROTOCOL, [begin(1, requestBlock(['content-length', '3'])), data(1, 'abcd')]],
    ['trailers with a pseudo-header', PROTOCOL, [begin(), whole(1, writeHeaderBlock([[':path', '/']]))]],
    ['trailers that do not end the stream', PROTOCOL, [begin(), begin(1, writeHeaderBlock([['a', 'b']]))]],
    ['a window that is widened by nothing', PROTOCOL, [begin(), update(1, 0)]],
    ['a window beyond 2^31 - 1', FLOW, [begin(), update(1, 2 ** 31 - 1)]],
    ['PRIORITY of four bytes', SIZE, [begin(), writeFrame(PRIORITY, 0, 1, Buffer.alloc(4))]],
    ['PRIORITY of a stream that follows itself', PROTOCOL, [begin(), writeFrame(PRIORITY, 0, 1, itself(1))]],
    ['DATA after its end', CLOSED, [whole(1), data(1, 'x')]],
  ])('%s', async (_title, code, frames) => {
    await using server = await startServer();
    using peer = await openPeer(server);
    peer.send(...frames);
    await peer.settled();
    expect(resets(peer)).toEqual([[1, code]]);
    peer.send(whole(3));
    await peer.settled();
    expect(answered(peer, 3)).toBe(true);
    expect(server.failures).toEqual([]);
  });
});
