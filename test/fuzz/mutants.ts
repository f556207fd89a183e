// Mutants of good tokens: one to three mutations each.

import { fc } from '../support/random.ts';
import { MUTATIONS, twinOf } from './mutations.ts';
import { specimens } from './specimens.ts';

/** Good signed tokens. */
export const goodTokens: readonly string[] = fc
  .sample(
    specimens.filter(({ level }) => level === 'L2'),
    { numRuns: 100 },
  )
  .map(({ token }) => token);

/** What may be accepted: the good tokens themselves, and the twins that ECDSA gives everybody. */
const acceptable = new Set([...goodTokens, ...goodTokens.map(twinOf)]);

export function mayBeAccepted(mutant: string): boolean {
  return acceptable.has(mutant);
}

const places = fc.nat({ max: 2 ** 30 });
const steps = fc.record({
  which: fc.nat({ max: MUTATIONS.length - 1 }),
  other: fc.nat({ max: goodTokens.length - 1 }),
  a: places,
  b: places,
  c: places,
});

/** Mutants, as they are handed to a verifier. */
export const mutants: fc.Arbitrary<string> = fc
  .tuple(fc.nat({ max: goodTokens.length - 1 }), fc.array(steps, { minLength: 1, maxLength: 3 }))
  .map(([first, chosen]) =>
    chosen.reduce(
      (token, { which, other, ...dice }) => (token === '' ? token : MUTATIONS[which]!(token, dice, goodTokens[other]!)),
      goodTokens[first]!,
    ),
  );
