// Creates a message from a parsed JSON value, as the generated codec does, and reports the position of a fault.

import { create, type DescField, type DescMessage, type DescOneof } from '@bufbuild/protobuf';
import { Faults, misfit, type Place, structTooLarge } from './faults.ts';
import { readLeaf } from './json-leaf.ts';
import { MAX_STRUCT_BYTES } from './limits.ts';
import { unknownField } from './unknown-field.ts';

const STRUCT = 'google.protobuf.Struct';

/** Members of all objects in a value of bounded depth. */
export function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const element of value) count += countMembers(element);
    return count;
  }
  // Objects from `JSON.parse` have no inherited members that would appear here.
  for (const name in value) count += 1 + countMembers((value as Readonly<Record<string, unknown>>)[name]);
  return count;
}

/** Reads a message whose members are unique and whose depth is bounded. Throws EctError. */
export function readObject(desc: DescMessage, json: unknown, place: Place | undefined): object {
  if (!isObject(json)) throw misfit(place, 'must be a JSON object');
  const message = create(desc) as Record<string, unknown>;
  const fields = fieldsOf(desc);
  const seen = new Set<DescField | DescOneof>();
  let faults: Faults | undefined;
  for (const name of Object.keys(json)) {
    const field = fields.get(name);
    // A field is named as in the schema, in whichever spelling it was given; an unknown one as it was given.
    const at = { parent: place, name: field?.name ?? name };
    try {
      if (field === undefined) throw misfit(at, unknownField(desc, name));
      readMember(message, field, json[name], at, seen);
    } catch (error) {
      // A request often has several misspelt fields.
      faults ??= new Faults();
      faults.keep(error);
      if (faults.isFull) break;
    }
  }
  faults?.reject();
  return message;
}

function readMember(
  message: Record<string, unknown>,
  field: DescField,
  json: unknown,
  at: Place,
  seen: Set<DescField | DescOneof>,
): void {
  const { oneof } = field;
  // A field has two spellings: exec_act and execAct.
  if (seen.has(field)) throw misfit(at, 'is given twice');
  seen.add(field);
  if (json === null && (oneof === undefined || field.fieldKind === 'scalar')) return;
  if (oneof !== undefined) {
    if (seen.has(oneof)) throw misfit(at, `is given beside another field of ${oneof.name}`);
    seen.add(oneof);
    if (json !== null) message[oneof.localName] = { case: field.localName, value: readValue(field, json, at) };
  } else if (field.fieldKind === 'list') {
    message[field.localName] = readList(field, json, at);
  } else message[field.localName] = readValue(field, json, at);
}

function readList(field: DescField, json: unknown, at: Place): unknown[] {
  if (!Array.isArray(json)) throw misfit(at, 'must be a JSON array');
  const values: unknown[] = [];
  let faults: Faults | undefined;
  for (let index = 0; index < json.length; index++) {
    const place = { parent: at, name: index };
    try {
      if (json[index] === null) throw misfit(place, 'must not be null');
      values.push(readValue(field, json[index], place));
    } catch (error) {
      faults ??= new Faults();
      faults.keep(error);
      if (faults.isFull) break;
    }
  }
  faults?.reject();
  return values;
}

function readValue(field: DescField, json: unknown, at: Place): unknown {
  const { message } = field;
  if (message === undefined || field.fieldKind === 'map') return readLeaf(field, json, at);
  if (message.typeName === STRUCT) return readStruct(json, at);
  if (message.typeName.startsWith('google.protobuf.')) return readLeaf(field, json, at);
  return readObject(message, json, at);
}

/** A Struct is a plain object here too: nothing is converted. */
function readStruct(json: unknown, at: Place): unknown {
  if (!isObject(json)) throw misfit(at, 'must be a JSON object');
  if (leastBytes(json) > MAX_STRUCT_BYTES) throw structTooLarge(at);
  return json;
}

/** Bytes of a value as compact JSON, at least. */
function leastBytes(value: unknown): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value === 'number') return 1;
  if (typeof value !== 'object' || value === null) return 4;
  let bytes = 2;
  if (Array.isArray(value)) {
    for (const element of value) bytes += 1 + leastBytes(element);
    return bytes;
  }
  for (const name in value) bytes += name.length + 4 + leastBytes((value as Readonly<Record<string, unknown>>)[name]);
  return bytes;
}

function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

const known = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

/** The fields of a type by both of their names. */
function fieldsOf(desc: DescMessage): ReadonlyMap<string, DescField> {
  let fields = known.get(desc);
  if (fields === undefined) {
    fields = new Map(desc.fields.flatMap((field) => [[field.name, field] as const, [field.jsonName, field] as const]));
    known.set(desc, fields);
  }
  return fields;
}
