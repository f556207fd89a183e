// A7: what becomes of files that were read again, by rule: every sequence of good, bad and earlier contents.

import { describe, expect, test } from 'vitest';
import { type Judgement, judge, type Seen, type Standing, standingAfter } from '../../src/reload/judgement.ts';

const START: Standing = { inForce: 'a', rejected: undefined };
const good = (digest: string): Seen<string> => ({ digest, value: `value of ${digest}` });
const bad = (digest: string, why = `${digest} is wrong`): Seen<string> => ({ digest, why });

function play(...seen: readonly Seen<string>[]): { kinds: readonly string[]; standing: Standing } {
  let standing = START;
  const kinds = seen.map((next) => {
    const judgement = judge(standing, next);
    standing = standingAfter(standing, next, judgement);
    return nameOf(judgement);
  });
  return { kinds, standing };
}

function nameOf(judgement: Judgement<string>): string {
  if (judgement.kind !== 'refused') return judgement.kind;
  return judgement.isNews ? 'refused' : 'rejected before';
}

describe('files that were read again', () => {
  test.each<[what: string, seen: readonly Seen<string>[], kinds: readonly string[], inForce: string]>([
    ['the same', [good('a'), good('a')], ['unchanged', 'unchanged'], 'a'],
    ['others', [good('b')], ['replaced'], 'b'],
    ['others, and the first ones again', [good('b'), good('a')], ['replaced', 'replaced'], 'a'],
    ['bad ones: said once', [bad('x'), bad('x'), bad('x')], ['refused', 'rejected before', 'rejected before'], 'a'],
    [
      'bad ones, then other bad ones: said once each',
      [bad('x'), bad('y'), bad('y')],
      ['refused', 'refused', 'rejected before'],
      'a',
    ],
    ['bad ones that are wrong in another way by now', [bad('x'), bad('x', 'expired')], ['refused', 'refused'], 'a'],
    ['bad ones, then those in force', [bad('x'), good('a'), good('a')], ['refused', 'restored', 'unchanged'], 'a'],
    ['bad ones, then good ones', [bad('x'), good('b'), good('b')], ['refused', 'replaced', 'unchanged'], 'b'],
    ['the same bad ones after good ones', [bad('x'), good('b'), bad('x')], ['refused', 'replaced', 'refused'], 'b'],
    ['bad ones that became good by time alone', [bad('x'), good('x')], ['refused', 'replaced'], 'x'],
  ])('A7 %s', (_what, seen, kinds, inForce) => {
    const played = play(...seen);
    expect(played.kinds).toEqual(kinds);
    expect(played.standing.inForce).toBe(inForce);
  });

  test('A7 no sequence of bad files takes the place of those in force', () => {
    const contents = ['x', 'y', 'z'];
    const sequences = contents.flatMap((a) => contents.flatMap((b) => contents.map((c) => [a, b, c])));
    for (const sequence of sequences) {
      expect(play(...sequence.map((digest) => bad(digest))).standing.inForce).toBe('a');
    }
  });
});
