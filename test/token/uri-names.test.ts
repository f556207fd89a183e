// Names above a name: those that every reader finds there, and at a cost that its length alone decides.

import { afterEach, describe, expect, test, vi } from 'vitest';
import { isWithin, namesAbove } from '../../src/token/index.ts';
import { fc } from '../support/random.ts';

/** Every name before a separator that `iss` is below, the nearest first. */
function searched(iss: string): readonly string[] {
  const ends = Array.from({ length: iss.length }, (_, at) => at).filter((at) => iss[at] === '/' || iss[at] === ':');
  return ends
    .toReversed()
    .map((end) => iss.slice(0, end))
    .filter((name) => name !== '' && isWithin(iss, name));
}

const START = [
  'urn:ect',
  'urn:',
  'spiffe://td.example',
  'SPIFFE://td',
  'https://a.example',
  'https:a',
  'x://h:80',
  'no',
];
const PART = ['/', ':', 'a', 'b.c', '.', '..', '%', '?', '#', ';', '@', ' ', '://', '~e'];

describe('namesAbove', () => {
  test('returns exactly the names that a search with isWithin finds', () => {
    const name = fc
      .tuple(fc.constantFrom(...START), fc.array(fc.constantFrom(...PART), { maxLength: 12 }))
      .map(([start, parts]) => start + parts.join(''));
    fc.assert(
      fc.property(name, (iss) => {
        expect(namesAbove(iss)).toEqual(searched(iss));
      }),
      { numRuns: 5_000 },
    );
  });

  test('returns the 32 nearest ones of a deeper name', () => {
    const iss = `urn:ect${':a'.repeat(100)}`;
    expect(namesAbove(iss)).toEqual(searched(iss).slice(0, 32));
  });

  describe('reads a name about once, however many separators it has', () => {
    afterEach(() => void vi.restoreAllMocks());

    test.each([
      ['a SPIFFE ID with a fault at its end', `spiffe://td${'/a'.repeat(1_000)}/%`],
      ['a SPIFFE ID', `spiffe://td${'/a'.repeat(1_000)}`],
      ['a URN with a fault at its end', `urn:a${':a'.repeat(1_000)}:%`],
      ['a URN of empty segments', `urn:${':'.repeat(2_000)}`],
      ['a URL with a fault at its end', `https://a${'/a'.repeat(1_000)}/%`],
    ])('%s', (_, iss) => {
      let characters = 0;
      const matched = RegExp.prototype.test;
      vi.spyOn(RegExp.prototype, 'test').mockImplementation(function (this: RegExp, text: string) {
        characters += text.length;
        return matched.call(this, text);
      });
      namesAbove(iss);
      expect(characters).toBeLessThan(10 * iss.length);
    });
  });
});
