// Writes the message of a response. A long list of messages is written element by element, in slices: a thousand tokens with their claims
// would block the event loop for half a second.

import {
  create,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type JsonWriteOptions,
  type MessageInitShape,
  toBinary,
  toJson,
  toJsonString,
} from '@bufbuild/protobuf';
import { type BatchField, batchFieldOf } from '../batch-field.ts';
import { eachRecord } from '../reading/scan-wire.ts';
import { TimeSlices } from '../time-slices.ts';

/** Lists up to this length are written without slices. */
const SYNC_ELEMENTS = 32;
const COMMA = Buffer.from(',');

/**
 * Writes a message as protobuf or JSON; `json.registry` has the types inside an Any. A long message returns a promise, which rejects with
 * EctError if `signal` is aborted. Any other error is a bug: the message does not fit its type. Fields are in the order of their numbers,
 * as the generated codec writes them; in JSON the list comes first.
 */
export function writeMessage<Desc extends DescMessage>(
  desc: Desc,
  codec: 'proto' | 'json',
  message: MessageInitShape<Desc>,
  json?: Partial<JsonWriteOptions>,
  signal?: AbortSignal,
): Uint8Array | Promise<Uint8Array> {
  const list = batchFieldOf(desc);
  const elements = list === undefined ? [] : ((message as Elements)[list.localName] ?? []);
  const write = codec === 'json' ? writeJson : writeProto;
  if (list === undefined || elements.length <= SYNC_ELEMENTS) return write(desc, message, json);
  const rest = { ...message, [list.localName]: [] } as MessageInitShape<Desc>;
  return writeElements(list, codec, elements, json, new TimeSlices(signal)).then((parts) =>
    codec === 'json'
      ? joinJson(list, parts, toJson(desc, create(desc, rest), json))
      : Buffer.concat(inOrder(list, parts, writeProto(desc, rest))),
  );
}

type Elements = Readonly<Record<string, readonly MessageInitShape<DescMessage>[] | undefined>>;

function writeProto<Desc extends DescMessage>(desc: Desc, message: MessageInitShape<Desc>): Uint8Array {
  return toBinary(desc, create(desc, message));
}

function writeJson<Desc extends DescMessage>(
  desc: Desc,
  message: MessageInitShape<Desc>,
  options?: Partial<JsonWriteOptions>,
): Uint8Array {
  return Buffer.from(toJsonString(desc, create(desc, message), options));
}

async function writeElements(
  list: BatchField,
  codec: 'proto' | 'json',
  elements: readonly MessageInitShape<DescMessage>[],
  json: Partial<JsonWriteOptions> | undefined,
  slices: TimeSlices,
): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = [];
  for (const element of elements) {
    if (slices.isOver()) await slices.next();
    if (codec === 'json')
      parts.push(parts.length === 0 ? Buffer.alloc(0) : COMMA, writeJson(list.message, element, json));
    else {
      const bytes = writeProto(list.message, element);
      parts.push(writeVarint(8 * list.number + 2), writeVarint(bytes.length), bytes);
    }
  }
  return parts;
}

/** The list between the fields before it and those after it. */
function inOrder(list: BatchField, parts: readonly Uint8Array[], rest: Uint8Array): readonly Uint8Array[] {
  let at = rest.length;
  eachRecord(rest, ({ fieldNumber, start }) => {
    if (fieldNumber > list.number) at = Math.min(at, start);
  });
  return [rest.subarray(0, at), ...parts, rest.subarray(at)];
}

/** The list first, then the other fields. */
function joinJson({ jsonName }: BatchField, parts: readonly Uint8Array[], rest: JsonValue): Buffer {
  // Where default values are written, the rest contains the list too, as an empty one.
  const { [jsonName]: _, ...fields } = rest as JsonObject;
  const others = JSON.stringify(fields).slice(1);
  const start = Buffer.from(`{${JSON.stringify(jsonName)}:[`);
  return Buffer.concat([start, ...parts, Buffer.from(others === '}' ? ']}' : `],${others}`)]);
}

function writeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80);
  return Uint8Array.from([...bytes, left]);
}
