// HTTP/2 frames (RFC 9113) as far as a gRPC client needs them, and the one thing it reads from headers: `grpc-status`.

export const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 } as const;
export const FLAG = { ack: 1, endStream: 1, endHeaders: 4 } as const;
export const SETTING = { headerTableSize: 1, enablePush: 2, maxConcurrentStreams: 3, initialWindowSize: 4 } as const;
export const FRAME_HEADER_BYTES = 9;
/** The largest frame that every peer must take. */
export const MAX_FRAME_BYTES = 16_384;
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** One frame as bytes. */
export function writeFrame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  frame.writeUIntBE(payload.length, 0, 3);
  frame[3] = type;
  frame[4] = flags;
  frame.writeUInt32BE(stream, 5);
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/** Hands over every whole frame in `bytes` and answers the rest, which is the beginning of a frame. */
export function readFrames(bytes: Buffer, onFrame: (frame: Frame) => void): Buffer {
  let at = 0;
  while (bytes.length - at >= FRAME_HEADER_BYTES) {
    const end = at + FRAME_HEADER_BYTES + bytes.readUIntBE(at, 3);
    if (bytes.length < end) break;
    const stream = bytes.readUInt32BE(at + 5) & 0x7fffffff;
    onFrame({
      type: bytes[at + 3]!,
      flags: bytes[at + 4]!,
      stream,
      payload: bytes.subarray(at + FRAME_HEADER_BYTES, end),
    });
    at = end;
  }
  return bytes.subarray(at);
}

/** Settings as a payload: pairs of id and value. */
export function writeSettings(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(settings.length * 6);
  for (const [place, [id, value]] of settings.entries()) {
    payload.writeUInt16BE(id, place * 6);
    payload.writeUInt32BE(value, place * 6 + 2);
  }
  return payload;
}

export function readSettings(payload: Buffer): Map<number, number> {
  const settings = new Map<number, number>();
  for (let at = 0; at + 6 <= payload.length; at += 6)
    settings.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
  return settings;
}

export function writeUint32(value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(value);
  return payload;
}

/** The header blocks of a gRPC call (HPACK, RFC 7541): the first call of a connection, and all that come after it. */
export interface HeaderBlocks {
  readonly first: Buffer;
  /** Points to what the first one has put into the table, as the clients of real callers do. */
  readonly next: Buffer;
}

export function writeHeaderBlocks({ protocol, host: authority }: URL, path: string): HeaderBlocks {
  const post = 0x83;
  const scheme = protocol === 'https:' ? 0x87 : 0x86;
  // Each of these is added to the table; the first number names the header in the static table, or says that a name follows.
  const added = [
    [0x44, text(path)],
    [0x41, text(authority)],
    [0x5f, text('application/grpc')],
    [0x40, text('te'), text('trailers')],
  ] as const;
  const firstInTable = 62;
  const first = added.flatMap(([head, ...texts]) => [Buffer.from([head]), ...texts]);
  // The latest entry of the table has the lowest number.
  const next = added.map((_, place) => 0x80 | (firstInTable + added.length - 1 - place));
  return { first: Buffer.concat([Buffer.from([post, scheme]), ...first]), next: Buffer.from([post, scheme, ...next]) };
}

/** A header that goes after a block, and into no table, since it differs from call to call: `grpc-timeout`. */
export function writeTimeout(milliseconds: number): Buffer {
  return Buffer.concat([Buffer.from([0]), text('grpc-timeout'), text(`${Math.max(1, Math.ceil(milliseconds))}m`)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length > 126) throw new TypeError('a header value must have at most 126 bytes');
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

/** `grpc-status` with its length in front, in the two spellings of HPACK: Huffman, which Node's servers use, and plain. */
const STATUS_NAMES = [Buffer.from('889acac8b21234da8f', 'hex'), text('grpc-status')];

/** Reads `grpc-status` from a header block that uses no dynamic table. Undefined where there is none. */
export function readGrpcStatus(block: Buffer): number | undefined {
  for (const name of STATUS_NAMES) {
    const at = block.indexOf(name);
    if (at < 0) continue;
    const valueAt = at + name.length;
    const length = block[valueAt]!;
    // A number of one or two digits is never shorter in Huffman's code, so it stands as it is.
    const value = Number(block.toString('latin1', valueAt + 1, valueAt + 1 + length));
    return length <= 2 && Number.isInteger(value) ? value : undefined;
  }
  return undefined;
}
