// What the protobuf encoding of a message may contain: for each field its wire types, the type of its content, and, in a Struct, how many
// bytes of JSON it adds.

import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';

export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH_DELIMITED = 2;
export const START_GROUP = 3;
export const END_GROUP = 4;
export const FIXED32 = 5;

export interface WireType {
  readonly fields: ReadonlyMap<number, WireField>;
  /** Bytes of JSON that such a message has at least: the brackets of a Struct or list. */
  readonly jsonBytes: number;
}

export interface WireField {
  /** The allowed wire types. */
  readonly wireTypes: readonly number[];
  /** The type of the content, if it is a message. */
  readonly message: WireType | undefined;
  /** The wire type of each element, if the field may be packed. */
  readonly packed: number | undefined;
  /** Bytes of JSON of each such field in a Struct: commas, quotes, the shortest value. */
  readonly jsonBytes: number;
  /** Whether the field is text in a Struct, so that its bytes count too. */
  readonly isJsonText: boolean;
}

const known = new WeakMap<DescMessage, WireType>();

/** Created once for each type. */
export function wireTypeOf(desc: DescMessage): WireType {
  const earlier = known.get(desc);
  if (earlier !== undefined) return earlier;
  const fields = new Map<number, WireField>();
  const brackets = desc.typeName === 'google.protobuf.Struct' || desc.typeName === 'google.protobuf.ListValue';
  const type = { fields, jsonBytes: brackets ? 2 : 0 };
  // Set before the fields, because types may be recursive.
  known.set(desc, type);
  for (const field of desc.fields) fields.set(field.number, wireFieldOf(field));
  return type;
}

/** `"":,` · `null` · a digit · `""` · `true` · a comma. */
const JSON_BYTES: Readonly<Record<string, number>> = {
  'google.protobuf.Struct.fields': 4,
  'google.protobuf.Value.null_value': 4,
  'google.protobuf.Value.number_value': 1,
  'google.protobuf.Value.string_value': 2,
  'google.protobuf.Value.bool_value': 4,
  'google.protobuf.ListValue.values': 1,
};

function wireFieldOf(field: DescField): WireField {
  const path = `${field.parent.typeName}.${field.name}`;
  const plain = {
    message: undefined,
    packed: undefined,
    jsonBytes: JSON_BYTES[path] ?? 0,
    isJsonText: path === 'google.protobuf.Value.string_value',
  };
  if (field.fieldKind === 'map') return { ...plain, wireTypes: [LENGTH_DELIMITED], message: entryOf(field) };
  if (field.message !== undefined) {
    const isGroup = 'delimitedEncoding' in field && field.delimitedEncoding;
    return { ...plain, wireTypes: [isGroup ? START_GROUP : LENGTH_DELIMITED], message: wireTypeOf(field.message) };
  }
  const wireType = field.scalar === undefined ? VARINT : wireTypeOfScalar(field.scalar);
  if (field.fieldKind !== 'list' || wireType === LENGTH_DELIMITED) return { ...plain, wireTypes: [wireType] };
  return { ...plain, wireTypes: [wireType, LENGTH_DELIMITED], packed: wireType };
}

/** An entry of a map has its key as field 1 and its value as field 2. */
function entryOf({ parent, mapKey, message, scalar }: DescField & { fieldKind: 'map' }): WireType {
  const plain = { message: undefined, packed: undefined, jsonBytes: 0, isJsonText: false };
  const isJsonText = parent.typeName === 'google.protobuf.Struct';
  const fields = new Map<number, WireField>();
  fields.set(1, { ...plain, wireTypes: [wireTypeOfScalar(mapKey)], isJsonText });
  if (message !== undefined) fields.set(2, { ...plain, wireTypes: [LENGTH_DELIMITED], message: wireTypeOf(message) });
  else fields.set(2, { ...plain, wireTypes: [scalar === undefined ? VARINT : wireTypeOfScalar(scalar)] });
  return { fields, jsonBytes: 0 };
}

function wireTypeOfScalar(type: ScalarType): number {
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return LENGTH_DELIMITED;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return FIXED64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return FIXED32;
    default:
      return VARINT;
  }
}
