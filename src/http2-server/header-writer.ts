// Writes header blocks: names from the static table where it has them, everything else spelled out. Nothing is added to the
// peer's table, so a block means the same wherever it is sent and can be made once.

import { STATIC_ENTRIES, STATIC_NAMES, STATIC_VALUES } from './static-table.ts';

/** Tells the peer's table to be empty. It may stand at the beginning of any block, and must after the peer has made it smaller. */
export const EMPTY_TABLE = 0x20;
const INDEXED = 0x80;

const numbers = new Map<string, number>();
for (let index = STATIC_ENTRIES; index > 0; index--) {
  numbers.set(STATIC_NAMES[index]!, index);
  numbers.set(`${STATIC_NAMES[index]!}\n${STATIC_VALUES[index]!}`, index);
}

/** One block of these fields. Names are lower-case; names and values have one character a byte. */
export function writeHeaderBlock(fields: Iterable<readonly [string, string]>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of fields) {
    const whole = numbers.get(`${name}\n${value}`);
    if (whole !== undefined) {
      parts.push(Buffer.from([INDEXED | whole]));
      continue;
    }
    const named = numbers.get(name);
    // Four bits for the number of the name, all of them zero where it is spelled out.
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
