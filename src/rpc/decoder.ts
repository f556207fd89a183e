// Reads requests in one pass, into the shape that the general codec gives them. That one is asked wherever something is
// unusual: a field that is not known here, a wire type that is not the field's, a message in two parts, bytes that may be
// no UTF-8, an end that comes too early. So whatever a peer sends means the same as it would without this file.

import { type DescField, type DescMessage, fromBinary, ScalarType } from '@bufbuild/protobuf';
import { readStruct } from './struct-decoder.ts';

/** Reads a message; what it answers is read only. Throws where the bytes are not valid for its type. */
export type MessageDecoder = (bytes: Buffer) => object;

export function createMessageDecoder(type: DescMessage): MessageDecoder {
  const decodePlain = createPlainDecoder(type);
  return (bytes) => decodePlain(bytes) ?? fromBinary(type, bytes);
}

/** Reads a message if nothing about it is unusual; otherwise the decoder answers `undefined`, and the general codec has to look. */
export function createPlainDecoder(type: DescMessage): (bytes: Buffer) => object | undefined {
  if (!isPlain(type, new Set())) return () => undefined;
  const plain = compile(type, new Map());
  return (bytes) => {
    try {
      return readMessage(plain, new Reader(bytes), bytes.length);
    } catch (thrown) {
      if (thrown !== UNUSUAL) throw thrown;
      return undefined;
    }
  };
}

/** Made once: it is thrown where the general codec has to look, and has no stack to pay for. */
const UNUSUAL = new Error('the general codec is asked');

type Message = Record<string, unknown>;
type ReadField = (message: Message, reader: Reader) => void;

interface PlainType {
  /** A message without fields. */
  readonly empty: Message;
  /** How a field is read, by its tag: number and wire type. */
  readonly fields: ReadField[];
}

function readMessage({ empty, fields }: PlainType, reader: Reader, end: number): Message {
  const message = { ...empty };
  while (reader.at < end) {
    const read = fields[reader.tag()];
    if (read === undefined) throw UNUSUAL;
    read(message, reader);
  }
  if (reader.at !== end) throw UNUSUAL;
  return message;
}

const VARINT = 0;
const LENGTH_DELIMITED = 2;
/** Nothing is added to these: the first item, or choice, comes with an object of its own. */
const NO_ITEMS: readonly unknown[] = Object.freeze([]);
const NO_CHOICE = Object.freeze({ case: undefined });
const NO_BYTES = Buffer.alloc(0);

/** Whether empty messages of a type, and of those inside it, are plain objects: there are no maps and nothing optional. */
function isPlain(type: DescMessage, seen: Set<string>): boolean {
  if (seen.has(type.typeName)) return true;
  seen.add(type.typeName);
  return type.fields.every((field) => {
    if (field.fieldKind === 'map' || hasExplicitPresence(field)) return false;
    const { message } = field;
    return message === undefined || !isMessageHere(message) || isPlain(message, seen);
  });
}

/** `FeatureSet.FieldPresence.EXPLICIT` of the descriptors. */
const EXPLICIT = 1;

function hasExplicitPresence(field: DescField): boolean {
  const isValue = field.fieldKind === 'scalar' || field.fieldKind === 'enum';
  return isValue && field.oneof === undefined && field.presence === EXPLICIT;
}

/** Messages of protobuf's own that are messages here too; the others become values of JavaScript. */
const WELL_KNOWN = ['google.protobuf.Duration', 'google.protobuf.Timestamp'];

const STRUCT = 'google.protobuf.Struct';

function isMessageHere({ typeName }: DescMessage): boolean {
  return !typeName.startsWith('google.protobuf.') || WELL_KNOWN.includes(typeName);
}

/** A field without a rule here is left to the general codec. */
function compile(type: DescMessage, known: Map<string, PlainType>): PlainType {
  const earlier = known.get(type.typeName);
  if (earlier !== undefined) return earlier;
  const empty: Message = { $typeName: type.typeName };
  const fields: ReadField[] = [];
  const plain = { empty, fields };
  known.set(type.typeName, plain);
  for (const field of type.fields) {
    if (field.oneof !== undefined) empty[field.oneof.localName] = NO_CHOICE;
    else empty[field.localName] = defaultOf(field);
    const value = valueReader(field, known);
    if (value !== undefined) fields[8 * field.number + value.wireType] = fieldReader(field, value.read);
  }
  return plain;
}

function defaultOf(field: DescField): unknown {
  if (field.fieldKind === 'list') return NO_ITEMS;
  if (field.fieldKind === 'message') return undefined;
  if (field.fieldKind === 'enum') return 0;
  switch (field.scalar) {
    case ScalarType.STRING:
      return '';
    case ScalarType.BYTES:
      return NO_BYTES;
    case ScalarType.BOOL:
      return false;
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return 0n;
    default:
      return 0;
  }
}

function fieldReader(field: DescField, read: (reader: Reader) => unknown): ReadField {
  const { localName } = field;
  if (field.fieldKind === 'list') {
    return (message, reader) => {
      const items = message[localName];
      if (items === NO_ITEMS) message[localName] = [read(reader)];
      else (items as unknown[]).push(read(reader));
    };
  }
  const place = field.oneof?.localName;
  if (place !== undefined) {
    return (message, reader) => {
      // The last one counts, but parts of a message would be put together.
      if (field.fieldKind === 'message' && message[place] !== NO_CHOICE) throw UNUSUAL;
      message[place] = { case: localName, value: read(reader) };
    };
  }
  return (message, reader) => {
    if (field.fieldKind === 'message' && message[localName] !== undefined) throw UNUSUAL;
    message[localName] = read(reader);
  };
}

interface ValueReader {
  readonly wireType: number;
  readonly read: (reader: Reader) => unknown;
}

function valueReader(field: DescField, known: Map<string, PlainType>): ValueReader | undefined {
  const kind = field.fieldKind === 'list' ? field.listKind : field.fieldKind;
  if (kind === 'message') return messageReader(field, known);
  const isList = field.fieldKind === 'list';
  if (kind === 'enum') return isList ? undefined : { wireType: VARINT, read: (reader) => reader.int() };
  switch (field.scalar) {
    case ScalarType.STRING:
      return { wireType: LENGTH_DELIMITED, read: (reader) => reader.text() };
    case ScalarType.BYTES:
      return { wireType: LENGTH_DELIMITED, read: (reader) => reader.part() };
    case ScalarType.BOOL:
      return isList ? undefined : { wireType: VARINT, read: (reader) => reader.bool() };
    case ScalarType.INT32:
      return isList ? undefined : { wireType: VARINT, read: (reader) => reader.int() };
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return isList ? undefined : { wireType: VARINT, read: (reader) => BigInt(reader.varint()) };
    default:
      return undefined;
  }
}

function messageReader(field: DescField, known: Map<string, PlainType>): ValueReader | undefined {
  const { message } = field;
  if (message?.typeName === STRUCT) return { wireType: LENGTH_DELIMITED, read: readStruct };
  if (message === undefined || !isMessageHere(message)) return undefined;
  if ('delimitedEncoding' in field && field.delimitedEncoding) return undefined;
  const type = compile(message, known);
  return {
    wireType: LENGTH_DELIMITED,
    read: (reader) => {
      if (reader.depth === MOST_DEPTH) throw UNUSUAL;
      reader.depth++;
      const length = reader.varint();
      const inner = readMessage(type, reader, reader.at + length);
      reader.depth--;
      return inner;
    },
  };
}

/** Types may contain themselves. */
const MOST_DEPTH = 16;
const MAX_INT32 = 2 ** 31 - 1;
/** What stands for bytes that are no UTF-8; it may stand there itself. */
const REPLACEMENT = '\ufffd';

class Reader {
  at = 0;
  depth = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Field number and wire type. The numbers of fields that are known here fit into two bytes. */
  tag(): number {
    const start = this.at;
    const tag = this.varint();
    if (this.at > start + 2) throw UNUSUAL;
    return tag;
  }

  /** An integer from 0 to 2^49 - 1: of seven bytes at most. */
  varint(): number {
    let byte = this.#bytes[this.at++];
    if (byte === undefined) throw UNUSUAL;
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let factor = 0x80; factor < 2 ** 49; factor *= 0x80) {
      byte = this.#bytes[this.at++];
      if (byte === undefined) throw UNUSUAL;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    throw UNUSUAL;
  }

  int(): number {
    const value = this.varint();
    if (value > MAX_INT32) throw UNUSUAL;
    return value;
  }

  bool(): boolean {
    const value = this.varint();
    if (value > 1) throw UNUSUAL;
    return value === 1;
  }

  double(): number {
    const start = this.at;
    this.at += 8;
    if (this.at > this.#bytes.length) throw UNUSUAL;
    return this.#bytes.readDoubleLE(start);
  }

  partEnd(): number {
    const length = this.varint();
    return this.at + length;
  }

  unusual(): never {
    throw UNUSUAL;
  }

  part(): Buffer {
    const start = this.#skipPart();
    return this.#bytes.subarray(start, this.at);
  }

  text(): string {
    const start = this.#skipPart();
    const text = this.#bytes.toString('utf8', start, this.at);
    if (text.includes(REPLACEMENT)) throw UNUSUAL;
    return text;
  }

  /** Answers where a part with its length before it begins; it ends at `at`. */
  #skipPart(): number {
    const length = this.varint();
    const start = this.at;
    this.at += length;
    if (this.at > this.#bytes.length) throw UNUSUAL;
    return start;
  }
}
