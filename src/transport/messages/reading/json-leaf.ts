// Reads the JSON of a value that is not a message. It is stricter than the generated codec, which accepts more than the JSON form of
// protobuf: concatenated base64, numbers in other notations, days that are not in the calendar.

import { type DescField, fromJson, ScalarType } from '@bufbuild/protobuf';
import { enumRule } from '../../../api/enums.ts';
import { decodeBase64 } from './base64.ts';
import { misfit, type Place } from './faults.ts';

/** Reads a value, or one element of a list. Throws EctError. */
export function readLeaf(field: DescField, json: unknown, at: Place): unknown {
  if (field.fieldKind === 'map') return readByCodec(field, json, at, 'does not fit the schema');
  if (field.message !== undefined) return readWellKnown(field, json, at);
  if (field.scalar === undefined) {
    return readByCodec(field, json, at, field.enum === undefined ? 'does not fit the schema' : enumRule(field.enum));
  }
  switch (field.scalar) {
    case ScalarType.STRING:
      if (typeof json !== 'string') throw misfit(at, 'must be a string');
      return json;
    case ScalarType.BOOL:
      if (typeof json !== 'boolean') throw misfit(at, 'must be true or false');
      return json;
    case ScalarType.BYTES:
      return readBytes(json, at);
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return readByCodec(field, json, at, 'must be a number');
    default:
      return readInteger(field, json, at);
  }
}

function readBytes(json: unknown, at: Place): Uint8Array {
  const bytes = typeof json === 'string' ? decodeBase64(json) : undefined;
  if (bytes === undefined) throw misfit(at, 'must be base64 or base64url');
  return bytes;
}

/** Also limits the number of digits, whose conversion takes more than linear time. */
const NUMBER = /^-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,4})?$/;

const BEYOND = 'what is beyond 2^53 is given as a string';
const RANGES: Partial<Record<ScalarType, string>> = {
  [ScalarType.INT32]: 'must be a whole number from -2147483648 to 2147483647',
  [ScalarType.UINT32]: 'must be a whole number from 0 to 4294967295',
  [ScalarType.INT64]: `must be a whole number from -(2^63) to 2^63 - 1; ${BEYOND}`,
  [ScalarType.UINT64]: `must be a whole number from 0 to 2^64 - 1; ${BEYOND}`,
};

function readInteger(field: DescField, json: unknown, at: Place): unknown {
  const isExact = typeof json === 'string' ? NUMBER.test(json) : Number.isSafeInteger(json);
  const rule = RANGES[field.scalar ?? ScalarType.INT64] ?? 'must be a whole number';
  if (!isExact) throw misfit(at, rule);
  return readByCodec(field, json, at, rule);
}

const DURATION = /^-?[0-9]{1,12}(?:\.[0-9]{1,9})?s$/;
const TIMESTAMP = /^([0-9]{4})-([0-9]{2})-([0-9]{2})T([01][0-9]|2[0-3]):/;

function readWellKnown(field: DescField, json: unknown, at: Place): unknown {
  switch (field.message?.typeName) {
    case 'google.protobuf.Duration': {
      const rule = 'must be a duration in seconds: "600s"';
      if (typeof json !== 'string' || !DURATION.test(json)) throw misfit(at, rule);
      return readByCodec(field, json, at, rule);
    }
    case 'google.protobuf.Timestamp': {
      const rule = 'must be a time of RFC 3339: "2026-01-31T12:00:00Z"';
      if (typeof json !== 'string' || !isInCalendar(json)) throw misfit(at, rule);
      return readByCodec(field, json, at, rule);
    }
    default:
      return readByCodec(field, json, at, 'does not fit the schema');
  }
}

/** `Date` accepts 31 June as 1 July. */
function isInCalendar(text: string): boolean {
  const [, year, month, day] = TIMESTAMP.exec(text) ?? [];
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
}

/** Reads with the generated codec, whose messages may quote the request. */
function readByCodec(field: DescField, json: unknown, at: Place, rule: string): unknown {
  const isElement = field.fieldKind === 'list';
  try {
    const message = fromJson(field.parent, { [field.jsonName]: (isElement ? [json] : json) as never });
    const value = valueIn(message as unknown as Record<string, unknown>, field);
    return isElement ? (value as unknown[])[0] : value;
  } catch {
    throw misfit(at, rule);
  }
}

function valueIn(message: Readonly<Record<string, unknown>>, field: DescField): unknown {
  if (field.oneof === undefined) return message[field.localName];
  return (message[field.oneof.localName] as { readonly value: unknown }).value;
}
