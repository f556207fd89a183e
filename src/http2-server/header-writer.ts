// Writes header blocks: names from the static table, or literal. Nothing is added to the dynamic table of the peer, so that a block is
// valid on every connection and can be encoded once.

import { STATIC_ENTRIES, STATIC_NAMES, STATIC_VALUES } from './static-table.ts';

/** A dynamic table size update to 0. It is allowed at the start of any block, and required after the peer has reduced the table size. */
export const EMPTY_TABLE = 0x20;
const INDEXED = 0x80;

const numbers = new Map<string, number>();
for (let index = STATIC_ENTRIES; index > 0; index--) {
  numbers.set(STATIC_NAMES[index]!, index);
  numbers.set(`${STATIC_NAMES[index]!}\n${STATIC_VALUES[index]!}`, index);
}

/** Encodes fields as one block. Names are in lower case; names and values have one character per byte. */
export function writeHeaderBlock(fields: Iterable<readonly [string, string]>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of fields) {
    const whole = numbers.get(`${name}\n${value}`);
    if (whole !== undefined) {
      parts.push(Buffer.from([INDEXED | whole]));
      continue;
    }
    const named = numbers.get(name);
    // Four bits for the index of the name; all zero for a literal name.
    parts.push(integer(0, 4, named ?? 0));
    if (named === undefined) parts.push(...text(name));
    parts.push(...text(value));
  }
  return Buffer.concat(parts);
}

function text(value: string): [Buffer, Buffer] {
  return [integer(0, 7, value.length), Buffer.from(value, 'latin1')];
}

function integer(head: number, bits: number, value: number): Buffer {
  const most = (1 << bits) - 1;
  if (value < most) return Buffer.from([head | value]);
  const bytes = [head | most];
  let rest = value - most;
  for (; rest >= 128; rest >>>= 7) bytes.push(128 | (rest & 127));
  return Buffer.from([...bytes, rest]);
}
