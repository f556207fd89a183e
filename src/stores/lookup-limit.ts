// The maximum size of a lookup, for every adapter.

import { MAX_LOOKUP_NAMES } from '../ledger/index.ts';

/** A larger lookup is a bug of the caller (TypeError). */
export function rejectManyNames(names: readonly string[]): void {
  if (names.length > MAX_LOOKUP_NAMES) throw new TypeError(`A look-up takes at most ${MAX_LOOKUP_NAMES} names.`);
}
