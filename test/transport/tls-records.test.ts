// The records of a TLS connection are found in whatever chunks its bytes arrive.

import { expect, test } from 'vitest';
import { TlsRecords } from '../../src/transport/tls-records.ts';
import { fc } from '../support/random.ts';

const HEADER_BYTES = 5;
const ALL = Number.POSITIVE_INFINITY;

function record(length: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + length, 0xff);
  bytes.writeUInt16BE(length, 3);
  return bytes;
}

/** The lengths of the pieces in which chunks of these sizes pass, one after another. */
function pieces(bytes: Buffer, sizes: readonly number[], records: number, most: number): readonly number[] {
  const scan = new TlsRecords();
  const lengths: number[] = [];
  for (let at = 0, nth = 0; at < bytes.length; nth++) {
    const chunk = bytes.subarray(at, at + sizes[nth % sizes.length]!);
    const length = scan.next(chunk, records, most);
    lengths.push(length);
    at += length;
  }
  return lengths;
}

test('H46: a chunk is cut where the record after the most begins', () => {
  const bytes = Buffer.concat([17, 0, 300, 5].map(record));
  expect(pieces(bytes, [bytes.length], 1, ALL)).toEqual([22, 5, 305, 10]);
  expect(pieces(bytes, [bytes.length], 2, ALL)).toEqual([27, 315]);
  expect(pieces(bytes, [bytes.length], 4, ALL)).toEqual([342]);
});

test('H46: a chunk is cut after the most bytes, also inside of a record, whose rest is no record of its own', () => {
  const bytes = Buffer.concat([300, 300].map(record));
  expect(pieces(bytes, [bytes.length], 1, 200)).toEqual([200, 105, 200, 105]);
  expect(pieces(bytes, [bytes.length], 2, 400)).toEqual([400, 210]);
});

test('H46: however the bytes arrive, all of them pass, and no piece has parts of more records than it may have', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 2_000 }), { minLength: 1, maxLength: 60 }),
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }),
      fc.integer({ min: 1, max: 20 }),
      (lengths, sizes, records) => {
        const bytes = Buffer.concat(lengths.map(record));
        const starts: number[] = [];
        for (let at = 0; at < bytes.length; at += HEADER_BYTES + bytes.readUInt16BE(at + 3)) starts.push(at);
        let from = 0;
        for (const length of pieces(bytes, sizes, records, ALL)) {
          expect(length).toBeGreaterThan(0);
          const until = from + length;
          const touched = starts.filter((start, nth) => start < until && (starts[nth + 1] ?? bytes.length) > from);
          expect(touched.length).toBeLessThanOrEqual(records);
          from = until;
        }
        expect(from).toBe(bytes.length);
      },
    ),
  );
});
