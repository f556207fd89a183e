// Bodies in parts of a size that the peer chooses: work and memory are those of their bytes, not of their parts.

import { expect, test, vi } from 'vitest';
import { type BodyOptions, requestMessages, requestWhole } from '../../../src/transport/connect/request-body.ts';
import { writeFrame } from '../../../src/transport/messages/grpc-frame.ts';
import { arrival, setUp } from '../../calls/arrivals.ts';

const SMALL = 32;
const PARTS = 65_536;
const MAX = 4 << 20;

/** Counts what is reserved, and the turns that were waited for. */
function countingOptions() {
  const { calls } = setUp(() => ({}));
  const seen = { blocks: 0, bytes: 0, turns: 0 };
  const options: BodyOptions = {
    calls,
    call: calls.open(arrival, 'unary', undefined),
    memory: {
      reserveBody: (bytes) => {
        seen.blocks++;
        seen.bytes += bytes;
        return true;
      },
      freeBody: (bytes) => {
        seen.bytes -= bytes;
      },
    },
    turn: async () => {
      seen.turns++;
    },
  };
  return { seen, options };
}

async function* repeated(part: Uint8Array, count: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < count; at++) yield part;
}

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test.each([
  ['one message in a frame', true],
  ['one message', false],
])('H13: a body of %s in 65,536 parts is copied once, and no object is kept for a part', async (_, isFramed) => {
  const { seen, options } = countingOptions();
  const copies = vi.spyOn(Uint8Array.prototype, 'set');
  const body = await requestWhole(repeated(Buffer.alloc(SMALL), PARTS), { isFramed, maxBytes: MAX }, options);
  const copied = copies.mock.calls.reduce((sum, [bytes]) => sum + bytes.length, 0);
  copies.mockRestore();
  expect(body.length).toBe(SMALL * PARTS);
  expect(copied).toBeLessThanOrEqual(body.length);
  expect(seen.blocks).toBeLessThan(60);
  expect(seen.bytes).toBeGreaterThanOrEqual(body.length);
  expect(seen.bytes).toBeLessThan(1.1 * body.length);
});

test('H13: a framed body that announces too much in parts of a byte is not read past its prefix', async () => {
  const prefix = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
  const { options } = countingOptions();
  const body = cut(Buffer.concat([prefix, Buffer.alloc(100)]), 1);
  expect(await requestWhole(body, { isFramed: true, maxBytes: MAX }, options)).toEqual(prefix);
});

test('H13: messages of a stream that arrive in one part are handed over one at a time, each in its turn', async () => {
  const { seen, options } = countingOptions();
  const messages = requestMessages(repeated(Buffer.alloc(5 * 3_000), 1), 4096, options);
  for (let count = 1; count <= 3; count++) {
    expect((await messages.next()).value).toEqual(Buffer.alloc(5));
    expect(seen.turns).toBe(count);
  }
  // The rest of the part is reserved while its messages wait.
  expect(seen.bytes).toBe(5 * 3_000);
  let rest = 0;
  for await (const message of messages) rest += message.length;
  expect(rest).toBe(5 * 2_997);
  expect(seen.bytes).toBe(0);
});

test('H13: a message of a stream that arrives in parts of a byte is handed over whole', async () => {
  const { seen, options } = countingOptions();
  const message = writeFrame(Buffer.alloc(4096, 'x'));
  const handed: Uint8Array[] = [];
  for await (const piece of requestMessages(cut(message, 1), 4096, options)) handed.push(piece);
  expect(handed).toEqual([message]);
  expect(seen.bytes).toBe(0);
});

test.each([
  ['too large', Buffer.from([0, 0, 0, 0x10, 0x01, 1, 2, 3]), Buffer.from([0, 0, 0, 0x10, 0x01])],
  ['not complete', Buffer.from([0, 0, 0, 0, 9, 1, 2]), Buffer.from([0, 0, 0, 0, 9, 1, 2])],
])(
  'H11: a message of a stream that is %s is handed over as it is, for the runtime to reject',
  async (_, bytes, first) => {
    const { options } = countingOptions();
    expect((await requestMessages(cut(bytes, 2), 4096, options).next()).value).toEqual(first);
  },
);
