// Random frames and random bytes: nothing throws, and nothing is kept.

import { expect, test, vi } from 'vitest';
import { FRAME, writeFrame, writeUint32 } from '../../bench/http2-frames.ts';
import { writeHeaderBlock } from '../../src/http2-server/index.ts';
import { fc } from '../support/random.ts';
import { SOON } from '../support/soon.ts';
import { begin, requestBlock, whole } from './raw-frames.ts';
import { openPeer, startServer } from './raw-peer.ts';

test('H10: random frames and random bytes are answered, rejected or cut off; nothing throws and nothing is kept', async () => {
  await using server = await startServer();
  const kind = fc.constantFrom(0, 0, 1, 1, 2, 3, 4, 6, 8, 9, 0xfe);
  const id = fc.constantFrom(0, 1, 1, 2, 3, 5, 7);
  const flags = fc.constantFrom(0, 1, 4, 5, 5, 8, 0x20, 0xff);
  const payload = fc.oneof(
    fc.constant(requestBlock()),
    fc.constant(writeHeaderBlock([['a', 'b']])),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.nat().map(writeUint32),
  );
  const frame = fc
    .tuple(kind, flags, id, payload)
    .map(([type, flag, stream, bytes]) => writeFrame(type, flag, stream, bytes));
  const request = id.chain((stream) => fc.constantFrom(begin(stream), whole(stream)));
  const noise = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
  let requests = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof({ weight: 7, arbitrary: frame }, { weight: 2, arbitrary: request }, { weight: 1, arbitrary: noise }),
        { maxLength: 30 },
      ),
      fc.boolean(),
      async (pieces, isGreeted) => {
        using peer = await openPeer(server);
        // After a whole request the noise meets a stream that is open or done; without one, a connection that is new.
        if (isGreeted) {
          requests++;
          peer.send(whole());
        }
        peer.send(...pieces);
        peer.socket.end();
        await peer.closed();
        expect(
          peer.frames
            .filter(({ type }) => type === FRAME.goAway)
            .every(({ payload: said }) => said.readUInt32BE(4) !== 2),
        ).toBe(true);
      },
    ),
    { numRuns: 400 },
  );
  expect(server.streams.length).toBeGreaterThanOrEqual(requests);
  await vi.waitFor(() => expect(server.streams.filter(({ isClosed }) => !isClosed)).toEqual([]), SOON);
  expect(server.connections.every(({ writeQueue }) => writeQueue.waitingBytes === 0)).toBe(true);
});
