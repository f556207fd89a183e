import { describe, expect, test } from 'vitest';
import {
  type Frame,
  readFrames,
  readGrpcStatus,
  readSettings,
  writeFrame,
  writeHeaderBlocks,
  writeSettings,
} from '../../bench/http2-frames.ts';

const plainStatus = (value: string) =>
  Buffer.concat([Buffer.from([0, 11]), Buffer.from('grpc-status'), Buffer.from([value.length]), Buffer.from(value)]);

describe('HTTP/2 frames', () => {
  test('are read back as they were written, whatever the pieces they come in', () => {
    const bytes = Buffer.concat([
      writeFrame(0, 1, 3, Buffer.from('abc')),
      writeFrame(4, 0, 0, writeSettings([[3, 100]])),
    ]);
    const frames: Frame[] = [];
    let rest = Buffer.alloc(0);
    for (const byte of bytes)
      rest = Buffer.from(
        readFrames(Buffer.concat([rest, Buffer.from([byte])]), (frame) =>
          frames.push({ ...frame, payload: Buffer.from(frame.payload) }),
        ),
      );
    expect(rest).toHaveLength(0);
    expect(frames[0]).toEqual({ type: 0, flags: 1, stream: 3, payload: Buffer.from('abc') });
    expect(readSettings(frames[1]!.payload)).toEqual(new Map([[3, 100]]));
  });

  test('the beginning of a frame is kept for later', () => {
    const whole = writeFrame(0, 0, 1, Buffer.from('abcdef'));
    const rest = readFrames(whole.subarray(0, 12), () => expect.unreachable('a part is no frame'));
    expect(rest).toEqual(whole.subarray(0, 12));
  });

  test('later calls of a connection name their headers by one byte each', () => {
    expect(writeHeaderBlocks(new URL('http://127.0.0.1:1'), '/a.B/C').next).toEqual(
      Buffer.from([0x83, 0x86, 0xc1, 0xc0, 0xbf, 0xbe]),
    );
  });

  test.each([
    ['0', 0],
    ['8', 8],
    ['14', 14],
  ])('grpc-status %s is read', (value, status) => {
    expect(readGrpcStatus(plainStatus(value))).toBe(status);
  });

  test('headers without a status have none, and one that is no number is none', () => {
    expect(readGrpcStatus(Buffer.from([0x88]))).toBeUndefined();
    expect(readGrpcStatus(plainStatus('ok'))).toBeUndefined();
  });
});
