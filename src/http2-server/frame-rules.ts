// The rules of RFC 9113 for a single frame, independent of any state.

import { protocolError, sizeError } from './connection-error.ts';
import { Flag, FrameType } from './frames.ts';

const PRIORITY_BYTES = 5;

/** Checks the header of a frame. Throws ConnectionError. */
export function checkFrame(type: number, flags: number, id: number, length: number): void {
  switch (type) {
    case FrameType.DATA:
      if (id === 0) throw protocolError('DATA belongs to a stream');
      break;
    case FrameType.HEADERS:
      if (id % 2 === 0) throw protocolError('a client opens odd streams');
      break;
    case FrameType.PRIORITY:
      if (id === 0) throw protocolError('PRIORITY belongs to a stream');
      break;
    case FrameType.RST_STREAM:
      if (length !== 4) throw sizeError('RST_STREAM');
      if (id === 0) throw protocolError('RST_STREAM belongs to a stream');
      break;
    case FrameType.SETTINGS:
      if (id !== 0) throw protocolError('SETTINGS belong to the connection');
      if (flags & Flag.ACK ? length !== 0 : length % 6 !== 0) throw sizeError('SETTINGS');
      break;
    case FrameType.PUSH_PROMISE:
      throw protocolError('a client cannot push');
    case FrameType.PING:
      if (id !== 0) throw protocolError('PING belongs to the connection');
      if (length !== 8) throw sizeError('PING');
      break;
    case FrameType.GOAWAY:
      if (id !== 0) throw protocolError('GOAWAY belongs to the connection');
      if (length < 8) throw sizeError('GOAWAY');
      break;
    case FrameType.WINDOW_UPDATE:
      if (length !== 4) throw sizeError('WINDOW_UPDATE');
      break;
    default:
  }
}

/** The payload of DATA or HEADERS without padding. Throws ConnectionError. */
export function unpadded(flags: number, bytes: Buffer, start: number, end: number): Buffer {
  if (!(flags & Flag.PADDED)) return bytes.subarray(start, end);
  if (end === start) throw sizeError('a padded frame');
  const padding = bytes[start]!;
  if (padding >= end - start) throw protocolError('there is more padding than payload');
  return bytes.subarray(start + 1, end - padding);
}

/** The header block of a HEADERS frame. Throws ConnectionError. */
export function blockOf(flags: number, id: number, bytes: Buffer, start: number, end: number): Buffer {
  const block = unpadded(flags, bytes, start, end);
  if (!(flags & Flag.PRIORITY)) return block;
  if (block.length < PRIORITY_BYTES) throw sizeError('HEADERS');
  if (dependsOnItself(id, block)) throw protocolError('a stream depends on itself');
  return block.subarray(PRIORITY_BYTES);
}

/** The fault of a PRIORITY frame, if it has one. Priorities are otherwise ignored. */
export function priorityFault(id: number, payload: Buffer): 'size' | 'circle' | undefined {
  if (payload.length !== PRIORITY_BYTES) return 'size';
  return dependsOnItself(id, payload) ? 'circle' : undefined;
}

function dependsOnItself(id: number, priority: Buffer): boolean {
  return (priority.readUInt32BE(0) & 0x7fffffff) === id;
}
