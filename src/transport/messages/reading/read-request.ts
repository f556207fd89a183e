// Reads the request of a call, and frees its bytes when they are read.

import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { releaseBytes } from '../../../http2-server/index.ts';
import { SYNC_BYTES } from './limits.ts';
import { type Codec, readMessage } from './read-message.ts';

/**
 * Reads a request like `readMessage`. The bytes belong to this function: those of a large JSON message are freed when it has been read, or
 * rejected. A message of protobuf may share memory with its bytes.
 */
export function readRequest<Desc extends DescMessage>(
  desc: Desc,
  codec: Codec,
  bytes: Buffer,
  signal?: AbortSignal,
): MessageShape<Desc> | Promise<MessageShape<Desc>> {
  if (codec === 'proto' || bytes.length <= SYNC_BYTES) return readMessage(desc, codec, bytes, signal);
  return readAndRelease(desc, bytes, signal);
}

async function readAndRelease<Desc extends DescMessage>(
  desc: Desc,
  bytes: Buffer,
  signal: AbortSignal | undefined,
): Promise<MessageShape<Desc>> {
  try {
    return await readMessage(desc, 'json', bytes, signal);
  } finally {
    releaseBytes(bytes);
  }
}
