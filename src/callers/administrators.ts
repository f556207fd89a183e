// Who administers this service: callers that the operator named.

import type { Caller } from '../authority/index.ts';

const ANONYMOUS = 'anonymous';

/**
 * `named` are SPIFFE IDs, compared exactly; the word `anonymous` stands for every caller without an identity. A caller of another
 * kind is never one: a name counts only for the kind of identity that the setting speaks of.
 */
export function administrators(named: readonly string[]): (caller: Caller) => boolean {
  const ids = new Set(named.filter((name) => name !== ANONYMOUS));
  const isOpen = named.includes(ANONYMOUS);
  return (caller) => (caller.kind === 'anonymous' ? isOpen : caller.kind === 'spiffe' && ids.has(caller.id));
}
