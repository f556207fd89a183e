// What every adapter keeps of the promise that a look-up is bounded.

import { MAX_LOOKUP_NAMES } from '../ledger/index.ts';

/** A caller that hands in more has forgotten to divide them: a bug of ours (TypeError). */
export function rejectManyNames(names: readonly string[]): void {
  if (names.length > MAX_LOOKUP_NAMES) throw new TypeError(`A look-up takes at most ${MAX_LOOKUP_NAMES} names.`);
}
