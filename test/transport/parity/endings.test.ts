// Callers that leave, at every stage of a call, and at both transports: one event each, the work is stopped, and nothing
// is held.

import { once } from 'node:events';
import * as http2 from 'node:http2';
import { describe, expect, test, vi } from 'vitest';
import { FLAG, FRAME } from '../../../bench/http2-frames.ts';
import { frame } from '../../support/rpc-clients.ts';
import { SOON } from '../../support/soon.ts';
import { eventsSince, type Line, roundTrip, type Side, TRANSPORTS } from './both-transports.ts';
import { ISSUE, message, usePermissiveTransports } from './permissive-transports.ts';
import { answerOf, GRPC, openStream } from './raw-call.ts';
import { data, headers, openWire, reset } from './wire.ts';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR } = http2.constants;
const CODES = [NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR];
const waiting = new Set<() => void>();
const willing = usePermissiveTransports(() => new Promise((resolve) => waiting.add(resolve)));
const reachedAt = ({ transport }: Side) => willing.reached[TRANSPORTS.indexOf(transport)]!;

/** Does this at both transports. Each leaves one event, and the two are equal. */
async function both(act: (side: Side) => Promise<void>): Promise<Line> {
  willing.transports.claimEvents(1);
  const run = async (side: Side) => {
    const before = side.calls().length;
    await act(side);
    return eventsSince(side, before);
  };
  const [lean, connect] = await Promise.all(willing.transports.both.map(run));
  expect(lean, 'the unary fast path says what the Connect router says').toEqual(connect);
  expect(lean, 'one call, one event').toHaveLength(1);
  return lean?.[0] ?? {};
}

/** Starts a whole call on the session of the side, or on another. */
async function begin(side: Side, body: Uint8Array, session = side.session) {
  const stream = openStream(session, { path: ISSUE, headers: GRPC });
  stream.on('error', () => undefined);
  stream.end(body);
  await roundTrip(session);
  return stream;
}

async function untilReached(side: Side, count: number): Promise<void> {
  await vi.waitFor(() => expect(reachedAt(side).length).toBeGreaterThanOrEqual(count), SOON);
}

const ordered = (execAct: string) => frame(message(execAct));
const cancelled = { code: 'CANCELLED', reason: 'CALL_CANCELLED', outcome: 'refused' };

describe('H14: RST_STREAM', () => {
  const unfinished: readonly (readonly [string, readonly Buffer[]])[] = [
    ['before the body', []],
    ['in the middle of the prefix', [data(ordered('good').subarray(0, 3))]],
    ['in the middle of the message', [data(ordered('good').subarray(0, 8))]],
    ['after the message, before its end', [data(ordered('good'))]],
  ];
  describe.each(unfinished)('%s', (_title, body) => {
    test.each(CODES)('with code %d: no procedure begins', async (code) => {
      const before = willing.reached.map(({ length }) => length);
      const event = await both(async (side) => {
        using wire = await openWire(side);
        wire.send(headers(), ...body);
        await wire.settled();
        wire.send(reset(code));
        await wire.settled();
      });
      expect(event).toMatchObject(cancelled);
      expect(willing.reached.map(({ length }) => length)).toEqual(before);
    });

    test.each(CODES)('with code %d, all in one packet: no procedure begins', async (code) => {
      const before = willing.reached.map(({ length }) => length);
      const event = await both(async (side) => {
        using wire = await openWire(side);
        wire.send(headers(), ...body, reset(code));
        await wire.settled();
      });
      expect(event).toMatchObject(cancelled);
      expect(willing.reached.map(({ length }) => length)).toEqual(before);
    });
  });

  test.each(CODES)('after the whole request, in the same packet, with code %d', async (code) => {
    const event = await both(async (side) => {
      using wire = await openWire(side);
      wire.send(headers(), data(ordered('good'), true), reset(code));
      await wire.settled();
    });
    // Node hands the request over before it has read the reset.
    expect(['OK', 'CANCELLED']).toContain(event['code']);
  });

  test.each(['hang', 'stuck'])('while the procedure does %s: its signal is aborted', async (execAct) => {
    const event = await both(async (side) => {
      const count = reachedAt(side).length + 1;
      const stream = await begin(side, ordered(execAct));
      await untilReached(side, count);
      const { signal } = reachedAt(side).at(-1)!;
      stream.close(NGHTTP2_CANCEL);
      await vi.waitFor(() => expect(signal.aborted).toBe(true), SOON);
      expect(signal.reason).toMatchObject({ reason: 'CALL_CANCELLED' });
    });
    expect(event).toMatchObject(cancelled);
  });

  test('after the headers of the answer: the call was answered', async () => {
    const event = await both(async (side) => {
      const stream = openStream(side.session, { path: ISSUE, headers: GRPC });
      stream.on('error', () => undefined);
      stream.end(ordered('good'));
      await once(stream, 'response');
      stream.close(NGHTTP2_CANCEL);
      // The whole answer may have come with its headers; then the stream closes when it was read.
      stream.resume();
      await once(stream, 'close');
    });
    expect(event).toMatchObject({ code: 'OK', outcome: 'ok' });
  });

  test('after the answer, of a request that never ended: the rejection stands', async () => {
    const event = await both(async (side) => {
      const stream = openStream(side.session, { path: ISSUE, headers: GRPC });
      stream.on('error', () => undefined);
      stream.write(frame(new Uint8Array(), 0, 2 ** 31));
      await once(stream, 'response');
      stream.close(NGHTTP2_CANCEL);
      await once(stream, 'close');
    });
    expect(event).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'MESSAGE_TOO_LARGE' });
  });
});

describe('the end of an answer leaves before the reset of a request that is not read to its end', () => {
  const TYPES = ['application/grpc', 'application/grpc-web+proto', 'application/proto', 'application/json'];
  test.each(TYPES)('%s', async (type) => {
    const event = await both(async (side) => {
      using wire = await openWire(side);
      // Too large by its prefix, and by itself where there is none.
      wire.send(headers(ISSUE, type), data(frame(Buffer.alloc(5000), 0, 2 ** 31)));
      await vi.waitFor(() => expect(wire.received.at(-1)?.type).toBe(FRAME.reset), SOON);
      const [last, end] = wire.received.toReversed();
      expect(last?.payload.readUInt32BE(0)).toBe(NGHTTP2_NO_ERROR);
      expect((end?.flags ?? 0) & FLAG.endStream, 'the frame before it ends the answer').toBe(FLAG.endStream);
    });
    expect(event).toMatchObject({ reason: 'MESSAGE_TOO_LARGE' });
  });
});

describe('the connection', () => {
  async function ownSession({ server }: Side): Promise<http2.ClientHttp2Session> {
    const session = http2.connect(server.url);
    session.on('error', () => undefined);
    await once(session, 'connect');
    return session;
  }

  test('GOAWAY while the procedure runs: the call is answered', async () => {
    const event = await both(async (side) => {
      const session = await ownSession(side);
      const count = reachedAt(side).length + 1;
      const stream = await begin(side, ordered('wait'), session);
      await untilReached(side, count);
      const answer = answerOf(stream);
      session.goaway(NGHTTP2_NO_ERROR);
      session.close();
      await roundTrip(side.session);
      await vi.waitFor(() => expect(waiting.size).toBeGreaterThan(0), SOON);
      for (const release of waiting) release();
      expect((await answer).grpcStatus).toBe('0');
    });
    expect(event).toMatchObject({ code: 'OK' });
    waiting.clear();
  });

  test('H14: it is cut while the procedure runs: the signal of the procedure is aborted', async () => {
    const event = await both(async (side) => {
      const session = await ownSession(side);
      const count = reachedAt(side).length + 1;
      await begin(side, ordered('hang'), session);
      await untilReached(side, count);
      session.destroy();
      await vi.waitFor(() => expect(reachedAt(side).at(-1)?.signal.aborted).toBe(true), SOON);
    });
    expect(event).toMatchObject(cancelled);
  });

  test('it is cut in the middle of the body', async () => {
    const event = await both(async (side) => {
      using wire = await openWire(side);
      wire.send(headers(), data(ordered('good').subarray(0, 7)));
      await wire.settled();
    });
    expect(event).toMatchObject(cancelled);
  });
});
