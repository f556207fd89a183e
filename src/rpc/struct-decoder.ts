// Reads a google.protobuf.Struct straight into the plain object that stands for it, without the messages in between. What is
// unusual (a name twice, a value of two kinds or of none, fields in another order) is left to the general codec.

/** What it reads from. `unusual` does not return. */
export interface StructReader {
  at: number;
  depth: number;
  /** Answers where the part ends that begins here with its length. */
  partEnd(): number;
  tag(): number;
  varint(): number;
  text(): string;
  bool(): boolean;
  double(): number;
  unusual(): never;
}

type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
interface JsonObject {
  [member: string]: JsonValue;
}

/** Tags: field number and wire type. */
const FIRST = 0x0a;
const SECOND = 0x12;
const NULL = 0x08;
const NUMBER = 0x11;
const TEXT = 0x1a;
const BOOL = 0x20;
const STRUCT = 0x2a;
const LIST = 0x32;

const MOST_DEPTH = 16;

/** Reads the Struct that begins here with its length. */
export function readStruct(reader: StructReader): JsonObject {
  const end = enter(reader);
  const object: JsonObject = {};
  while (reader.at < end) {
    if (reader.tag() !== FIRST) reader.unusual();
    readEntry(reader, object);
  }
  leave(reader, end);
  return object;
}

function readEntry(reader: StructReader, object: JsonObject): void {
  const end = reader.partEnd();
  if (reader.tag() !== FIRST) reader.unusual();
  const name = reader.text();
  if (name === '__proto__' || Object.hasOwn(object, name) || reader.tag() !== SECOND) reader.unusual();
  object[name] = readValue(reader);
  if (reader.at !== end) reader.unusual();
}

function readValue(reader: StructReader): JsonValue {
  const end = reader.partEnd();
  if (reader.at === end) reader.unusual();
  const value = readKind(reader);
  if (reader.at !== end) reader.unusual();
  return value;
}

function readKind(reader: StructReader): JsonValue {
  switch (reader.tag()) {
    case NULL:
      return reader.varint() === 0 ? null : reader.unusual();
    case NUMBER:
      return reader.double();
    case TEXT:
      return reader.text();
    case BOOL:
      return reader.bool();
    case STRUCT:
      return readStruct(reader);
    case LIST:
      return readList(reader);
    default:
      return reader.unusual();
  }
}

function readList(reader: StructReader): JsonValue[] {
  const end = enter(reader);
  const list: JsonValue[] = [];
  while (reader.at < end) {
    if (reader.tag() !== FIRST) reader.unusual();
    list.push(readValue(reader));
  }
  leave(reader, end);
  return list;
}

function enter(reader: StructReader): number {
  if (reader.depth === MOST_DEPTH) reader.unusual();
  reader.depth++;
  return reader.partEnd();
}

function leave(reader: StructReader, end: number): void {
  if (reader.at !== end) reader.unusual();
  reader.depth--;
}
