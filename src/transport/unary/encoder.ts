// Writes responses as gRPC frames. A message is written from its last byte to its first, so that the length of each part is known when
// its prefix is written: one pass, into one reused buffer. The generated codec creates a message object and several small buffers for
// every response, which costs more than all the rules of Issue together.

import {
  create,
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  type MessageInitShape,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import { DurationSchema, StructSchema, TimestampSchema } from '@bufbuild/protobuf/wkt';
import { writeFrame } from '../messages/grpc-frame.ts';
import { BackwardWriter } from './backward-writer.ts';

/** Creates the frame of a response, given as the init shape of its message. The caller owns the frame. */
export type FrameEncoder = (answer: object) => Buffer;

/**
 * The encoder of a message type. Types with fields that it does not support (maps other than of texts, floats, packed lists) use the
 * generated codec.
 */
export function createFrameEncoder(type: DescMessage): FrameEncoder {
  const write = compile(type, new Map());
  if (write === undefined)
    return (answer) => writeFrame(toBinary(type, create(type, answer as MessageInitShape<DescMessage>)));
  return (answer) => {
    const out = new BackwardWriter();
    write(out, answer as Fields);
    return out.takeFrame();
  };
}

type Fields = Readonly<Record<string, unknown>>;
type WriteMessage = (out: BackwardWriter, message: Fields) => void;
type WriteValue = (out: BackwardWriter, value: never) => void;

/** One field: its position in the init shape, and how its value is written with its tag. */
interface FieldWriter {
  readonly name: string;
  /** The oneof of the field, whose value is `{ case, value }`. */
  readonly oneof: string | undefined;
  readonly isList: boolean;
  readonly isDefault: (value: never) => boolean;
  readonly write: WriteValue;
}

/** Compiles a message type; `undefined` if a field is not supported. Types may be recursive. */
function compile(type: DescMessage, known: Map<string, WriteMessage>): WriteMessage | undefined {
  const earlier = known.get(type.typeName);
  if (earlier !== undefined) return earlier;
  const fields: FieldWriter[] = [];
  const write: WriteMessage = (out, message) => {
    for (let at = fields.length - 1; at >= 0; at--) writeField(out, fields[at]!, message);
  };
  known.set(type.typeName, write);
  for (const field of [...type.fields].sort((a, b) => a.number - b.number)) {
    const writer = compileField(field, known);
    if (writer === undefined) return undefined;
    fields.push(writer);
  }
  return write;
}

function writeField(out: BackwardWriter, field: FieldWriter, message: Fields): void {
  if (field.oneof !== undefined) {
    const choice = message[field.oneof] as { case?: string; value?: unknown } | undefined;
    if (choice?.case === field.name) field.write(out, choice.value as never);
    return;
  }
  const value = message[field.name];
  if (value === undefined) return;
  if (field.isList) {
    writeList(out, field, value as readonly never[]);
  } else if (!field.isDefault(value as never)) {
    field.write(out, value as never);
  }
}

function writeList(out: BackwardWriter, field: FieldWriter, items: readonly never[]): void {
  for (let at = items.length - 1; at >= 0; at--) field.write(out, items[at]!);
}

const LENGTH_DELIMITED = 2;
const VARINT = 0;

function compileField(field: DescField, known: Map<string, WriteMessage>): FieldWriter | undefined {
  if (field.fieldKind === 'map') return compileMap(field);
  const isList = field.fieldKind === 'list';
  const kind = isList ? field.listKind : field.fieldKind;
  const wireType = kind === 'message' || isText(field.scalar) ? LENGTH_DELIMITED : VARINT;
  if (isList && wireType === VARINT) return undefined; // packed
  const tag = field.number * 8 + wireType;
  const value = valueWriter(field, kind, known);
  if (value === undefined) return undefined;
  return {
    name: field.localName,
    oneof: field.oneof?.localName,
    isList,
    // A field with explicit presence is written if it is set.
    isDefault: kind !== 'message' && field.presence === IMPLICIT ? zeroOf(field.scalar) : () => false,
    write: (out, item) => {
      value(out, item);
      out.varint(tag);
    },
  };
}

/** A map of texts is a list of messages with a key and a value. */
function compileMap(field: DescField & { readonly fieldKind: 'map' }): FieldWriter | undefined {
  if (field.mapKey !== ScalarType.STRING || field.mapKind !== 'scalar') return undefined;
  if (field.scalar !== ScalarType.STRING) return undefined;
  const tag = field.number * 8 + LENGTH_DELIMITED;
  return {
    name: field.localName,
    oneof: undefined,
    isList: false,
    isDefault: () => false,
    write: (out, entries: Readonly<Record<string, string>>) => {
      for (const [key, value] of Object.entries(entries).reverse()) {
        const end = out.length;
        out.text(value);
        out.varint(MAP_VALUE_TAG);
        out.text(key);
        out.varint(MAP_KEY_TAG);
        out.varint(out.length - end);
        out.varint(tag);
      }
    },
  };
}

const MAP_KEY_TAG = 8 + LENGTH_DELIMITED;
const MAP_VALUE_TAG = 16 + LENGTH_DELIMITED;

/** `FeatureSet.FieldPresence.IMPLICIT` of the descriptors. */
const IMPLICIT = 2;

function valueWriter(field: DescField, kind: string, known: Map<string, WriteMessage>): WriteValue | undefined {
  if (kind === 'enum') return (out, value: number) => out.varint(value);
  if (kind === 'scalar') return scalarWriter(field.scalar);
  if (kind !== 'message' || field.message === undefined) return undefined;
  if (field.message.typeName === StructSchema.typeName) {
    // In the init shape a Struct is plain JSON.
    return (out, value: JsonValue) => out.bytes(toBinary(StructSchema, fromJson(StructSchema, value)));
  }
  if (TIMES.includes(field.message.typeName)) return writeTime;
  const write = compile(field.message, known);
  if (write === undefined) return undefined;
  return (out, value: Fields) => {
    const end = out.length;
    write(out, value);
    out.varint(out.length - end);
  };
}

/** Writes a Timestamp or Duration, which both have seconds and nanoseconds; each token has two. */
const TIMES: readonly string[] = [TimestampSchema.typeName, DurationSchema.typeName];

function writeTime(out: BackwardWriter, { seconds = 0n, nanos = 0 }: { seconds?: bigint; nanos?: number }): void {
  const end = out.length;
  if (nanos !== 0) {
    out.varint(nanos);
    out.varint(NANOS_TAG);
  }
  if (seconds !== 0n) {
    out.varint(Number(seconds));
    out.varint(SECONDS_TAG);
  }
  out.varint(out.length - end);
}

const SECONDS_TAG = 8 + VARINT;
const NANOS_TAG = 16 + VARINT;

function scalarWriter(type: ScalarType | undefined): WriteValue | undefined {
  switch (type) {
    case ScalarType.STRING:
      return (out, value: string) => out.text(value);
    case ScalarType.BYTES:
      return (out, value: Uint8Array) => out.bytes(value);
    case ScalarType.BOOL:
      return (out, value: boolean) => out.varint(value ? 1 : 0);
    case ScalarType.INT32:
    case ScalarType.UINT32:
      return (out, value: number) => out.varint(value);
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return (out, value: bigint) => out.varint(Number(value));
    default:
      return undefined;
  }
}

function isText(type: ScalarType | undefined): boolean {
  return type === ScalarType.STRING || type === ScalarType.BYTES;
}

/** How the default value of a scalar is recognised; without a scalar type it is that of an enum. */
function zeroOf(type: ScalarType | undefined): (value: never) => boolean {
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return (value: string | Uint8Array) => value.length === 0;
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return (value: bigint) => value === 0n;
    default:
      return (value: number | boolean) => !value;
  }
}
