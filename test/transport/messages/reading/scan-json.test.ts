// The scan of a JSON message finds the same parts in whatever steps it runs, and makes a text of each part only.

import { describe, expect, test } from 'vitest';
import { BatchIssueRequestSchema } from '../../../../src/gen/ect/v1/authority_pb.ts';
import { batchFieldOf } from '../../../../src/transport/messages/batch-field.ts';
import { JsonScan } from '../../../../src/transport/messages/reading/scan-json.ts';
import { fc } from '../../../support/random.ts';

const BATCH = batchFieldOf(BatchIssueRequestSchema);

/** Texts that look like structure, escapes, and characters of one to four bytes. */
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 80 }),
  fc.constantFrom('items', '"', '\\', '\\"', '}', ']},{', 'é', '字', '😀', '\ud83d\ude00\n'),
);
const value = fc.jsonValue({ maxDepth: 3, stringUnit: 'grapheme' });
const item = fc.oneof(value, fc.dictionary(text, fc.oneof(text, value)));
const message = fc.record({ before: text, items: fc.array(item, { maxLength: 6 }), after: value });

/** As `JSON.stringify`, with blanks, or with every character beyond ASCII as an escape. */
const spelling = fc.constantFrom(
  (json: unknown) => JSON.stringify(json),
  (json: unknown) => JSON.stringify(json, undefined, 1),
  (json: unknown) =>
    JSON.stringify(json).replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
);

function scanned(bytes: Buffer, steps: readonly number[]) {
  const scan = new JsonScan(bytes, BATCH);
  for (let at = 0; !scan.advance(steps[at % steps.length]!); at++);
  return { message: scan.message(), items: Array.from({ length: scan.items }, (_, at) => scan.item(at)) };
}

/** Members of all objects in a value. */
function membersOf(json: unknown): number {
  if (typeof json !== 'object' || json === null) return 0;
  const inner = Object.values(json).reduce((sum: number, each) => sum + membersOf(each), 0);
  return inner + (Array.isArray(json) ? 0 : Object.keys(json).length);
}

describe.each([
  ['a short message', ''],
  // So long a text is never made.
  ['a message of more than a megabyte', ' '.repeat(1_100_000)],
])('H13: %s', (_, blanks) => {
  test('has the same parts in one step, byte by byte, and in any steps', () => {
    fc.assert(
      fc.property(
        message,
        spelling,
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (json, spell, few) => {
          const bytes = Buffer.from(spell(json) + blanks);
          // The blanks at the end would be so many steps.
          const steps = blanks === '' ? few : few.map((step) => 1000 * step);
          const whole = scanned(bytes, [bytes.length]);
          expect(scanned(bytes, steps)).toEqual(whole);
          if (blanks === '') expect(scanned(bytes, [1])).toEqual(whole);
          expect(JSON.parse(whole.message.text)).toEqual(JSON.parse(JSON.stringify({ ...json, items: [] })));
          expect(whole.message.members).toBe(membersOf({ ...json, items: [] }));
          expect(whole.items.map(({ text }) => JSON.parse(text))).toEqual(JSON.parse(JSON.stringify(json.items)));
          expect(whole.items.map(({ members }) => members)).toEqual(json.items.map(membersOf));
        },
      ),
      { numRuns: blanks === '' ? 500 : 20 },
    );
  });
});
