// Callers as a connection authenticates them.

import type { Caller } from '../../src/authority/index.ts';

/** A workload that is authenticated by its certificate. */
export function workload(id: string): Extract<Caller, { kind: 'spiffe' }> {
  return { kind: 'spiffe', id, proof: { method: 'mtls', strength: 'possession', by: id.split('/')[2] ?? '' } };
}
