// The most expensive bytes that fit into the largest message of a method: for each request type, in both codecs, what it
// costs the most to read, just within the limits and far beyond them.

import { type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { MAX_BATCH_BYTES, MAX_MESSAGE_BYTES } from '../../../../src/calls/message-limits.ts';
import { batchFieldOf } from '../../../../src/transport/messages/batch-field.ts';
import type { Codec } from '../../../../src/transport/messages/reading/read-message.ts';

export interface WorstCase {
  readonly name: string;
  readonly codec: Codec;
  readonly bytes: Buffer;
}

/** The largest message of a request type. */
function maxBytesOf({ name }: DescMessage): number {
  return name.startsWith('Batch') || name.startsWith('ValidateDAG') ? MAX_BATCH_BYTES : MAX_MESSAGE_BYTES;
}

/** A length-delimited field of protobuf. */
export function field(number: number, content: Uint8Array): Buffer {
  return Buffer.concat([varint(8 * number + 2), varint(content.length), content]);
}

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) + 0x80);
  return Buffer.from([...bytes, left]);
}

/** So many repetitions as fit into `size` bytes. */
export function fill(unit: Uint8Array | string, size: number): Buffer {
  const bytes = Buffer.from(unit as string);
  const count = Math.max(0, Math.floor(size / bytes.length));
  return Buffer.alloc(count * bytes.length, bytes);
}

/** JSON with as many repetitions as fit between its ends. */
function json(start: string, unit: string, end: string, size: number): Buffer {
  const middle = fill(`${unit},`, size - start.length - end.length - unit.length);
  return Buffer.concat([Buffer.from(start), middle, Buffer.from(unit + end)]);
}

/** Nested `depth` deep around a value. */
export function nest(open: string, inner: string, close: string, depth: number): string {
  return open.repeat(depth) + inner + close.repeat(depth);
}

/** What costs much in any message of the type. */
export function worstCasesOf(desc: DescMessage, size = maxBytesOf(desc)): WorstCase[] {
  const cases: WorstCase[] = [];
  const proto = (name: string, bytes: Buffer) => cases.push({ name, codec: 'proto', bytes });
  const text = (name: string, bytes: Buffer) => cases.push({ name, codec: 'json', bytes });
  for (const count of [8_000, 16_300, size]) {
    proto(`unknown fields (${count})`, fill(Buffer.from('fa0100', 'hex'), Math.min(size, 3 * count)));
    proto(`groups (${count})`, fill(Buffer.from('fb01fc01', 'hex'), Math.min(size, 2 * count)));
    text(`empty lists (${count})`, json('{"x":[', '[]', ']}', Math.min(size, 3 * count)));
    text(`empty objects (${count})`, json('{"x":[', '{}', ']}', Math.min(size, 3 * count)));
    text(`zeros (${count})`, json('{"x":[', '0', ']}', Math.min(size, 2 * count)));
  }
  proto('long numbers', fill(Buffer.from('f801ffffffffffffffffff01', 'hex'), size));
  proto('one long unknown field', field(31, Buffer.alloc(size - 10, 'x')));
  proto('nested groups', fill(Buffer.from('fb01', 'hex'), size));
  proto('0xff', Buffer.alloc(size, 0xff));
  text('brackets', Buffer.alloc(size, '['));
  text('blanks', Buffer.alloc(size, ' '));
  text('quotes', Buffer.alloc(size, '"'));
  text('backslashes', Buffer.from(`{"${'\\\\'.repeat((size - 10) / 2)}":0}`));
  text('escapes in a name', Buffer.from(`{"${'\\u0041'.repeat((size - 10) / 6)}":0}`));
  text('pairs in a name', Buffer.from(`{"${'\\ud83d\\ude00'.repeat((size - 10) / 12)}":0}`));
  text('a long name', Buffer.from(`{"${'x'.repeat(size - 10)}":0}`));
  text('a long name, not in Latin', Buffer.from(`{"${'字'.repeat((size - 10) / 3)}":0}`));
  text('digits', Buffer.from(`{"x":${'9'.repeat(size - 10)}}`));
  text('many names', manyNames(size));
  cases.push(...casesOfFields(desc, size));
  return cases;
}

function manyNames(size: number): Buffer {
  const names: string[] = [];
  for (let i = 0, length = 2; length < size && i < 16_000; i++) {
    const member = `"${i.toString(36)}":0`;
    names.push(member);
    length += member.length + 1;
  }
  return Buffer.from(`{${names.join(',')}}`.slice(0, size));
}

/** What costs much in a field of the type, or of the items of a batch. */
function casesOfFields(desc: DescMessage, size: number): WorstCase[] {
  const cases: WorstCase[] = [];
  const batch = batchFieldOf(desc);
  // Strings cost the same in every field.
  let hasText = false;
  for (const { number, name, fieldKind, message, scalar, jsonName } of desc.fields) {
    if (scalar === ScalarType.STRING && fieldKind === 'scalar') {
      if (hasText) continue;
      hasText = true;
    }
    const add = (what: string, codec: Codec, bytes: Buffer) => cases.push({ name: `${name}: ${what}`, codec, bytes });
    if (fieldKind === 'list') {
      add('empty elements', 'proto', fill(field(number, Buffer.alloc(0)), size));
      add('16,000 empty elements', 'proto', fill(field(number, Buffer.alloc(0)), 32_000));
      const unit = message === undefined ? '""' : '{}';
      add('empty elements', 'json', json(`{"${jsonName}":[`, unit, ']}', size));
      add('16,000 empty elements', 'json', json(`{"${jsonName}":[`, unit, ']}', Math.min(size, 48_000)));
    } else if (message?.typeName === 'google.protobuf.Struct') {
      for (const [what, struct] of structs(size - 10)) add(what, 'proto', field(number, struct));
      for (const unit of ['0', 'null', '[]', '{}', '""', '"\\u0041"']) {
        for (const length of [16_000, size]) {
          add(`${unit}, ${length} bytes`, 'json', json(`{"${jsonName}":{"a":[`, unit, ']}}', length));
        }
      }
    } else if (message !== undefined && !message.typeName.startsWith('google.')) {
      for (const inner of casesOfFields(message, size - 40)) {
        const bytes = inner.codec === 'proto' ? field(number, inner.bytes) : wrap(jsonName, inner.bytes);
        add(inner.name, inner.codec, bytes);
      }
    } else if (scalar !== undefined || message !== undefined) {
      add('long', 'proto', field(number, Buffer.alloc(size - 10, 'x')));
      add('long', 'json', Buffer.from(`{"${jsonName}":"${'9'.repeat(size - 10 - jsonName.length)}"}`));
      add('escaped', 'json', Buffer.from(`{"${jsonName}":"${'\\u0041'.repeat((size - 40) / 6)}"}`));
    }
  }
  if (batch === undefined) return cases;
  for (const inner of casesOfFields(batch.message, Math.floor(size / 1000) - 12)) {
    const { codec, bytes } = inner;
    if (bytes.length > size / 1000) continue;
    const item = codec === 'proto' ? field(batch.number, bytes) : Buffer.concat([bytes, Buffer.from(',')]);
    const items = fill(item, item.length * 1000);
    const whole =
      codec === 'proto'
        ? items
        : wrap(batch.jsonName, Buffer.concat([Buffer.from('['), items.subarray(0, -1), Buffer.from(']')]));
    cases.push({ name: `1,000 items of ${inner.name}`, codec, bytes: whole });
  }
  return cases;
}

function wrap(name: string, inner: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`{"${name}":`), inner, Buffer.from('}')]);
}

/** Structs, in protobuf: one list of many values. */
function structs(size: number): (readonly [name: string, bytes: Buffer])[] {
  const units = {
    empty: '0a00',
    nulls: '0a020800',
    numbers: '0a09110000000000000000',
    texts: '0a021a00',
    lists: '0a023200',
    objects: '0a022a00',
  };
  const sizes = (unit: Buffer) => [Math.min(size, 3_000 * unit.length), size];
  return Object.entries(units).flatMap(([name, hex]) => {
    const unit = Buffer.from(hex, 'hex');
    return sizes(unit).map((length) => [`${name}, ${length} bytes`, structOf(fill(unit, length - 30))] as const);
  });
}

function structOf(values: Buffer): Buffer {
  return field(1, Buffer.concat([field(1, Buffer.from('a')), field(2, field(6, values))]));
}
