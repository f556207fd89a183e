// The administrators of this service: callers that the operator named.

import type { Caller } from '../authority/index.ts';

const ANONYMOUS = 'anonymous';

/**
 * `named` are SPIFFE IDs, compared exactly; `anonymous` means every caller without an identity. A caller of another kind is never an
 * administrator: the setting names SPIFFE IDs only.
 */
export function administrators(named: readonly string[]): (caller: Caller) => boolean {
  const ids = new Set(named.filter((name) => name !== ANONYMOUS));
  const isOpen = named.includes(ANONYMOUS);
  return (caller) => (caller.kind === 'anonymous' ? isOpen : caller.kind === 'spiffe' && ids.has(caller.id));
}
