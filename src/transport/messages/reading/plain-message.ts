// Builds messages of plain fields: ASCII text, bytes, flags, small numbers, and messages and lists of these. The generated codec reads any
// message, but makes several objects for each field; nearly all requests are plain, and are built here in a third of the time. What is not
// plain is left to the generated codec. A test compares both.

import { create, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { DurationSchema, TimestampSchema } from '@bufbuild/protobuf/wkt';
import { LENGTH_DELIMITED, VARINT } from './wire-types.ts';

type Fields = Record<string, unknown>;

const [TEXT, BYTES, FLAG, NUMBER, LONG, MESSAGE] = [0, 1, 2, 3, 4, 5] as const;

interface PlainField {
  readonly kind: typeof TEXT | typeof BYTES | typeof FLAG | typeof NUMBER | typeof LONG | typeof MESSAGE;
  readonly name: string;
  /** The group that it belongs to, whose value is `{ case, value }`. */
  readonly oneof: string | undefined;
  readonly isList: boolean;
  /** Of a message. */
  readonly type: PlainType | undefined;
}

interface PlainType {
  /** By tag: field number and wire type. */
  readonly fields: Map<number, PlainField>;
  /** A message without fields. Messages share its empty groups, which are frozen. */
  readonly empty: Fields;
  /** Its lists, of which each message has its own. */
  readonly lists: readonly string[];
}

/** Builds a message of bytes that `scanWire` has accepted. Undefined: some field is not plain. It may share memory with `bytes`. */
export function buildPlain(desc: DescMessage, bytes: Buffer): object | undefined {
  const type = typeOf(desc);
  return type && build(type, bytes, 0, bytes.length);
}

function build(type: PlainType, bytes: Buffer, start: number, end: number): Fields | undefined {
  const message = { ...type.empty };
  for (let at = 0; at < type.lists.length; at++) message[type.lists[at]!] = [];
  for (let at = start; at < end; ) {
    let tag = bytes[at++]!;
    // Field numbers from 16 on have two bytes.
    if (tag >= 0x80) tag += (bytes[at++]! - 1) * 0x80;
    const field = type.fields.get(tag);
    if (field === undefined) return undefined;
    let number = bytes[at++]!;
    for (let factor = 0x80; number >= factor; factor *= 0x80) {
      // Longer numbers are not plain.
      if (factor > MAX_FACTOR) return undefined;
      number += (bytes[at++]! - 1) * factor;
    }
    let value: unknown;
    switch (field.kind) {
      case FLAG:
        value = number !== 0;
        break;
      case NUMBER:
        value = number;
        break;
      case LONG:
        value = BigInt(number);
        break;
      default:
        value = readPart(field, bytes, at, at + number);
        at += number;
    }
    if (value === undefined || !setField(message, field, value)) return undefined;
  }
  return message;
}

/** Of the fourth byte of a number. */
const MAX_FACTOR = 0x80 ** 3;

/** What has its length before it. */
function readPart({ kind, type }: PlainField, bytes: Buffer, start: number, end: number): unknown {
  if (kind === MESSAGE) return build(type!, bytes, start, end);
  return kind === TEXT ? readText(bytes, start, end) : bytes.subarray(start, end);
}

/** Undefined for what is not ASCII. */
function readText(bytes: Buffer, start: number, end: number): string | undefined {
  for (let at = start; at < end; at++) if (bytes[at]! >= 0x80) return undefined;
  return bytes.toString('latin1', start, end);
}

/** Returns whether it is set: a message that comes twice has to be merged, which is not plain. */
function setField(message: Fields, { kind, name, oneof, isList }: PlainField, value: unknown): boolean {
  if (isList) {
    (message[name] as unknown[]).push(value);
    return true;
  }
  if (oneof !== undefined) {
    if (kind === MESSAGE && (message[oneof] as { readonly case?: string }).case === name) return false;
    message[oneof] = { case: name, value };
    return true;
  }
  if (kind === MESSAGE && message[name] !== undefined) return false;
  message[name] = value;
  return true;
}

const known = new WeakMap<DescMessage, PlainType | null>();

/** Made once for each type. Undefined: no message of it is plain. */
function typeOf(desc: DescMessage): PlainType | undefined {
  const earlier = known.get(desc);
  if (earlier !== undefined) return earlier ?? undefined;
  if (!isPlainMessage(desc)) {
    known.set(desc, null);
    return undefined;
  }
  const lists = desc.fields.filter(({ fieldKind }) => fieldKind === 'list').map(({ localName }) => localName);
  const type: PlainType = { fields: new Map(), empty: emptyMessage(desc), lists };
  // Before the fields: types may contain themselves.
  known.set(desc, type);
  for (const field of desc.fields) {
    const plain = plainField(field);
    if (plain === undefined || field.number > MAX_NUMBER) continue;
    const { kind } = plain;
    const wireType = kind === TEXT || kind === BYTES || kind === MESSAGE ? LENGTH_DELIMITED : VARINT;
    type.fields.set(8 * field.number + wireType, plain);
  }
  return type;
}

function plainField(field: DescField): PlainField | undefined {
  const kind = kindOf(field);
  if (kind === undefined) return undefined;
  const type = field.message && typeOf(field.message);
  if (kind === MESSAGE && type === undefined) return undefined;
  return { kind, name: field.localName, oneof: field.oneof?.localName, isList: field.fieldKind === 'list', type };
}

/** Larger field numbers have tags of more than two bytes. */
const MAX_NUMBER = 2047;

function emptyMessage(desc: DescMessage): Fields {
  const message: Fields = create(desc);
  for (const value of Object.values(message)) {
    // Empty bytes need not be frozen, and cannot be.
    if (!ArrayBuffer.isView(value)) Object.freeze(value);
  }
  return message;
}

/** Undefined for what is not plain. */
function kindOf(field: DescField): PlainField['kind'] | undefined {
  if (field.fieldKind === 'map') return undefined;
  if (field.message !== undefined) return field.delimitedEncoding ? undefined : MESSAGE;
  const isList = field.fieldKind === 'list';
  if (field.enum !== undefined) return field.enum.open && !isList ? NUMBER : undefined;
  switch (field.scalar) {
    case ScalarType.STRING:
      return TEXT;
    case ScalarType.BYTES:
      return BYTES;
    case ScalarType.BOOL:
      return isList ? undefined : FLAG;
    case ScalarType.INT32:
      return isList ? undefined : NUMBER;
    case ScalarType.INT64:
      return isList || field.longAsString ? undefined : LONG;
    default:
      return undefined;
  }
}

/** The codec has rules of its own for most messages of Google. */
function isPlainMessage({ file, typeName }: DescMessage): boolean {
  if (file.proto.package !== 'google.protobuf') return true;
  return typeName === DurationSchema.typeName || typeName === TimestampSchema.typeName;
}
