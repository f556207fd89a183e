// Reads the message of a unary request, whichever protocol it came by: bytes of a peer that may be anything. Nothing is built
// before its size is known, nothing holds the event loop for long, and every fault is an error of ours.

import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { readJson } from './read-json.ts';
import { readProto } from './read-proto.ts';

/** How a message is written. */
export type Codec = 'proto' | 'json';

/**
 * Reads a message; what it answers is read only, and may share memory with `bytes`. Throws, or rejects with, EctError alone:
 * REQUEST_MALFORMED, MESSAGE_TOO_LARGE, EXT_TOO_LARGE, or REQUEST_INVALID for a batch of too many items. Large messages are
 * read in slices and answered by a promise; between two slices `signal` is looked at.
 */
export function readMessage<Desc extends DescMessage>(
  desc: Desc,
  codec: Codec,
  bytes: Uint8Array,
  signal?: AbortSignal,
): MessageShape<Desc> | Promise<MessageShape<Desc>> {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = codec === 'json' ? readJson : readProto;
  return read(desc, buffer, signal) as MessageShape<Desc> | Promise<MessageShape<Desc>>;
}
