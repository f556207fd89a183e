// Reads the message of a unary request of any protocol. The bytes are untrusted: nothing is created before its size is known, nothing
// blocks the event loop for long, and every fault is an EctError.

import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { MAX_BATCH_ITEMS, MAX_BATCH_OBJECTS, MAX_DEPTH } from '../../../calls/message-limits.ts';
import { type BatchField, batchFieldOf } from '../batch-field.ts';
import { TimeSlices } from '../time-slices.ts';
import { malformed, tooManyItems, tooManyObjects } from './faults.ts';
import { SYNC_BYTES } from './limits.ts';
import { buildPlain } from './plain-message.ts';
import { readJson } from './read-json.ts';
import { eachRecord, scanWire } from './scan-wire.ts';
import { LENGTH_DELIMITED } from './wire-types.ts';

/** The encoding of a message. */
export type Codec = 'proto' | 'json';

/**
 * Reads a message. The result is read-only and may share memory with `bytes`. Throws or rejects with EctError only: REQUEST_MALFORMED,
 * MESSAGE_TOO_LARGE, EXT_TOO_LARGE, or REQUEST_INVALID for a batch of too many items. Large messages are read in slices and return a
 * promise; `signal` is checked between slices.
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

/** A batch with so few bytes is read without slices, whatever it contains. */
const SMALL_BYTES = 8 * 1024;

/** Scans a protobuf message, then reads it with the generated codec; a large batch item by item. */
function readProto(desc: DescMessage, bytes: Buffer, signal?: AbortSignal): object | Promise<object> {
  const batch = batchFieldOf(desc);
  if (batch !== undefined && bytes.length > SMALL_BYTES) return readBatch(desc, batch, bytes, signal);
  const message = decode(desc, bytes);
  if (batch !== undefined && itemsOf(message, batch).length > MAX_BATCH_ITEMS) throw tooManyItems(batch.name);
  return message;
}

function readBatch(desc: DescMessage, batch: BatchField, bytes: Buffer, signal: AbortSignal | undefined) {
  const slices = new TimeSlices(signal);
  const { items, rest } = split(batch, bytes);
  const message = decode(desc, rest);
  const withItems = (read: readonly object[]) => ({ ...message, [batch.localName]: read });
  const readItem = itemReader(batch);
  if (bytes.length > SYNC_BYTES) return readInSlices(items, readItem, slices).then(withItems);
  return withItems(items.map(readItem));
}

/** Reads one item after the other. */
function itemReader({ message }: BatchField): (item: Buffer) => object {
  let objects = 0;
  return (item) => {
    objects += scanWire(message, item, ITEM_DEPTH);
    if (objects > MAX_BATCH_OBJECTS) throw tooManyObjects();
    return build(message, item, ITEM_DEPTH);
  };
}

const ITEM_DEPTH = 2;

async function readInSlices(
  items: readonly Buffer[],
  readItem: (item: Buffer) => object,
  slices: TimeSlices,
): Promise<readonly object[]> {
  const read: object[] = [];
  for (const item of items) {
    if (slices.isOver()) await slices.next();
    read.push(readItem(item));
  }
  return read;
}

function itemsOf(message: object, batch: BatchField): readonly object[] {
  return (message as Record<string, readonly object[]>)[batch.localName]!;
}

/** The bytes of each item, and the message without them. */
function split(batch: BatchField, bytes: Buffer): { readonly items: readonly Buffer[]; readonly rest: Buffer } {
  const items: Buffer[] = [];
  const rest: Buffer[] = [];
  eachRecord(bytes, ({ fieldNumber, wireType, start, contentStart, end }) => {
    if (fieldNumber !== batch.number || wireType !== LENGTH_DELIMITED) {
      rest.push(bytes.subarray(start, end));
      return;
    }
    if (items.length === MAX_BATCH_ITEMS) throw tooManyItems(batch.name);
    items.push(bytes.subarray(contentStart, end));
  });
  return { items, rest: Buffer.concat(rest) };
}

/** Reads a message. It is scanned completely before anything is created. */
function decode(desc: DescMessage, bytes: Buffer): object {
  scanWire(desc, bytes);
  return build(desc, bytes, 1);
}

/** Creates a message at nesting depth `depth` that was scanned. */
function build(desc: DescMessage, bytes: Buffer, depth: number): object {
  const plain = buildPlain(desc, bytes);
  if (plain !== undefined) return plain;
  try {
    return fromBinary(desc, bytes, { readUnknownFields: false, recursionLimit: MAX_DEPTH + 1 - depth });
  } catch {
    // The messages of the codec may quote the request.
    throw malformed('a string of the message is not UTF-8, or a field does not fit the schema');
  }
}
