// The frames of HTTP/2 (RFC 9113): their types, and functions that write the small ones.

export const FRAME_HEADER_BYTES = 9;
/** The largest payload in both directions: the default of the protocol. */
export const MAX_FRAME_BYTES = 16_384;
/** The initial and the largest size of a flow-control window. */
export const DEFAULT_WINDOW = 65_535;
export const MAX_WINDOW = 2 ** 31 - 1;

/** The connection preface of a client. */
export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const Flag = { END_STREAM: 0x1, ACK: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const;

export const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

/** Writes a frame header of nine bytes. */
export function writeFrameHeader(
  out: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  id: number,
): void {
  out[at] = length >>> 16;
  out[at + 1] = length >>> 8;
  out[at + 2] = length;
  out[at + 3] = type;
  out[at + 4] = flags;
  out[at + 5] = id >>> 24;
  out[at + 6] = id >>> 16;
  out[at + 7] = id >>> 8;
  out[at + 8] = id;
}

/** Writes one frame. */
export function writeFrame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  writeFrameHeader(frame, 0, payload.length, type, flags, id);
  payload.copy(frame, FRAME_HEADER_BYTES);
  return frame;
}

export function windowUpdate(id: number, bytes: number): Buffer {
  return numbersFrame(FrameType.WINDOW_UPDATE, id, bytes);
}

export function resetFrame(id: number, code: number): Buffer {
  return numbersFrame(FrameType.RST_STREAM, id, code);
}

export function goAway(lastId: number, code: number): Buffer {
  return numbersFrame(FrameType.GOAWAY, 0, lastId, code);
}

export function settingsFrame(settings: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.allocUnsafe(6 * settings.length);
  settings.forEach(([name, value], place) => {
    payload.writeUInt16BE(name, 6 * place);
    payload.writeUInt32BE(value, 6 * place + 2);
  });
  return writeFrame(FrameType.SETTINGS, 0, 0, payload);
}

export const SETTINGS_ACK: Buffer = writeFrame(FrameType.SETTINGS, Flag.ACK, 0, Buffer.alloc(0));

function numbersFrame(type: number, id: number, ...numbers: readonly number[]): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + 4 * numbers.length);
  writeFrameHeader(frame, 0, 4 * numbers.length, type, 0, id);
  for (const [place, value] of numbers.entries()) frame.writeUInt32BE(value, FRAME_HEADER_BYTES + 4 * place);
  return frame;
}
