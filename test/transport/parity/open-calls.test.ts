// What a server holds for callers that leave or never read, at both transports.

import { once } from 'node:events';
import * as http2 from 'node:http2';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { FRAME, SETTING } from '../../../bench/http2-frames.ts';
import { authorityService } from '../../../src/api/authority.ts';
import { BatchIssueRequestSchema, BatchIssueResponseSchema } from '../../../src/gen/ect/v1/authority_pb.ts';
import { makeAuthority } from '../../support/authority.ts';
import { rounds } from '../../support/full.ts';
import { frame } from '../../support/rpc-clients.ts';
import { SOON } from '../../support/soon.ts';
import {
  type BothTransports,
  eventsSince,
  type Side,
  startBothTransports,
  TRANSPORTS,
  type TransportName,
} from './both-transports.ts';
import { permissiveService, type Reached } from './permissive-service.ts';
import { ISSUE, message } from './permissive-transports.ts';
import { exchange, GRPC, openStream } from './raw-call.ts';
import { data, headers, openWire, reset } from './wire.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const CANCEL = 8;

const CALLS = rounds(10_000, 2_000);

describe(`H14: ${CALLS.toLocaleString('en')} cancelled calls`, () => {
  const AT_ONCE = 100;
  const WARM_UP = CALLS / 5;
  const reached: Record<TransportName, Reached> = { lean: [], connect: [], node: [] };
  let transports: BothTransports;
  beforeAll(async () => {
    transports = await startBothTransports((transport) => [permissiveService(reached[transport])]);
  });
  afterAll(() => transports[Symbol.asyncDispose]());

  /** Starts calls whose procedure never answers, and cancels each when it has been reached. */
  async function cancelMany(side: Side, count: number): Promise<void> {
    const procedures = reached[side.transport];
    for (let made = 0; made < count; made += AT_ONCE) {
      const before = side.calls().length;
      // A session of its own for each hundred: HTTP/2 itself ends one that resets a thousand streams at once.
      const session = http2.connect(side.server.url);
      procedures.length = 0;
      const streams = Array.from({ length: AT_ONCE }, () => {
        const stream = openStream(session, { path: ISSUE, headers: GRPC });
        stream.on('error', () => undefined);
        stream.end(frame(message('hang')));
        return stream;
      });
      await vi.waitFor(() => expect(procedures.length).toBe(AT_ONCE), SOON);
      const closed = streams.map((stream) => once(stream, 'close'));
      for (const stream of streams) stream.close(CANCEL);
      await Promise.all(closed);
      session.close();
      await once(session, 'close');
      await vi.waitFor(() => expect(side.calls().length).toBe(before + AT_ONCE), SOON);
      expect(procedures.every(({ signal }) => signal.aborted)).toBe(true);
    }
    procedures.length = 0;
  }

  test.each(TRANSPORTS)(
    'the %s transport holds no timer, no handle, no listener and no memory for them',
    async (transport) => {
      const side = transports[transport];
      await cancelMany(side, WARM_UP);
      const before = held();
      await cancelMany(side, CALLS);
      const after = held();
      expect(side.calls()).toHaveLength(WARM_UP + CALLS);
      expect(new Set(side.calls().map(({ reason }) => reason))).toEqual(new Set(['CALL_CANCELLED']));
      expect(after.resources - before.resources).toBeLessThan(10);
      // The lines of the log are kept by this test: some 200 bytes each.
      expect((after.bytes - before.bytes) / CALLS).toBeLessThan(1000);
      const { grpcStatus } = await exchange(side.session, { path: ISSUE, body: [frame(message('good'))] });
      expect(grpcStatus).toBe('0');
    },
  );
});

/** Timers and handles of this process, and its heap when everything that can go has gone. */
function held() {
  collectGarbage();
  return { resources: process.getActiveResourcesInfo().length, bytes: process.memoryUsage().heapUsed };
}

/** Both ends of every connection are in this process. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
}

describe('H8: a caller that asks for a large answer and never reads', () => {
  const BATCH = '/ect.v1.AuthorityService/BatchIssue';
  const items = Array.from({ length: 1000 }, (_, at) => ({
    reference: `item-${at}`,
    request: { execAct: 'review_spec', aud: ['urn:example:reviewer'] },
  }));
  const request = frame(toBinary(BatchIssueRequestSchema, create(BatchIssueRequestSchema, { items })));
  const pieces = Array.from({ length: Math.ceil(request.length / 16_000) }, (_, at) =>
    data(request.subarray(at * 16_000, (at + 1) * 16_000), (at + 1) * 16_000 >= request.length),
  );

  const LEAVING = { 'by a reset': [reset(CANCEL)], 'by closing the connection': [] };
  const cases = TRANSPORTS.flatMap((transport) =>
    Object.entries(LEAVING).map(([how, frames]) => ({ transport, how, frames })),
  );

  test.each(cases)(
    'the $transport transport sends nothing past the window, goes on serving, and lets go when the caller leaves $how',
    async ({ transport, frames }) => {
      const { context } = await makeAuthority();
      await using transports = await startBothTransports(() => [authorityService(context)]);
      const side = transports[transport];
      const before = side.calls().length;
      // Both ends of one session to each transport, once those of the test before have gone.
      const openBefore = 2 * TRANSPORTS.length;
      await vi.waitFor(() => expect(openSockets()).toBe(openBefore), SOON);
      {
        using wire = await openWire(side, [[SETTING.initialWindowSize, 0]]);
        for (const piece of [headers(BATCH), ...pieces]) {
          wire.send(piece);
          await wire.settled();
        }
        await eventsSince(side, before);
        await vi.waitFor(() => expect(wire.received.map(({ type }) => type)).toContain(FRAME.headers), SOON);
        await wire.settled();
        const sent = wire.received.filter(({ type }) => type === FRAME.data);
        expect(sent.every(({ payload }) => payload.length === 0)).toBe(true);

        const other = await exchange(side.session, { path: BATCH, body: [request] });
        expect(other.grpcStatus).toBe('0');
        wire.send(...frames);
        await wire.settled();
      }
      await vi.waitFor(() => expect(openSockets()).toBe(openBefore), SOON);
      expect(side.calls().slice(before)).toMatchObject([{ code: 'OK' }, { code: 'OK' }]);
      expect(side.bugs()).toEqual([]);
    },
  );

  test('and a caller that does read gets all of it', async () => {
    const { context } = await makeAuthority();
    await using transports = await startBothTransports(() => [authorityService(context)]);
    for (const side of transports.both) {
      const { body, grpcStatus } = await exchange(side.session, { path: BATCH, body: [request] });
      expect(grpcStatus).toBe('0');
      const { results } = fromBinary(BatchIssueResponseSchema, body.subarray(5));
      expect(results.map(({ reference }) => reference)).toEqual(items.map(({ reference }) => reference));
      expect(results.every(({ result }) => result.case === 'response')).toBe(true);
    }
  });
});
