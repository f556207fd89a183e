// What comes of reading one message, and how the rejections are spelled.

import { create, type DescMessage, type MessageInitShape, toBinary, toJsonString } from '@bufbuild/protobuf';
import { expect } from 'vitest';
import { EctError } from '../../../../src/errors.ts';
import { IssueRequestSchema } from '../../../../src/gen/ect/v1/authority_pb.ts';
import { type Codec, readMessage } from '../../../../src/transport/messages/reading/read-message.ts';
import { fill } from './worst-cases.ts';

/** What became of a reading: the message, or the error. */
export async function outcomeOf(
  desc: DescMessage,
  codec: Codec,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<object> {
  try {
    return await readMessage(desc, codec, bytes, signal);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(EctError);
    const { reason, message, metadata: facts, violations } = thrown as EctError;
    return { reason, message, metadata: facts, violations };
  }
}

export const json = (text: string, desc: DescMessage = IssueRequestSchema) =>
  outcomeOf(desc, 'json', Buffer.from(text));
export const proto = (bytes: Uint8Array, desc: DescMessage = IssueRequestSchema) => outcomeOf(desc, 'proto', bytes);
export const malformed = (message: string | RegExp) => ({
  reason: 'REQUEST_MALFORMED',
  message: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
});

export const KINDS = 'ENTRY_KIND_TASK, ENTRY_KIND_TAINT, ENTRY_KIND_KEY, ENTRY_KIND_LOSS';

export const values = (count: number) => fill(Buffer.from('fa0100', 'hex'), 3 * count);
export const tooManyValues = { reason: 'MESSAGE_TOO_LARGE', metadata: { limit_values: '16384' } };
export const tooDeep = { reason: 'REQUEST_MALFORMED', metadata: { limit_depth: '100' } };
export const extTooLarge = { reason: 'EXT_TOO_LARGE', metadata: { limit_bytes: '4096' } };

export function write<D extends DescMessage>(desc: D, codec: Codec, init: MessageInitShape<D>): Buffer {
  const message = create(desc, init);
  return Buffer.from(codec === 'json' ? toJsonString(desc, message) : toBinary(desc, message));
}
