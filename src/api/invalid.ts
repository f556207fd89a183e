// How a request is rejected for one of its fields.

import { EctError, reject } from '../errors.ts';

/** A rejection of one field of a request. */
export function invalid(field: string, rule: string): EctError {
  return new EctError(reject('REQUEST_INVALID', `${field} ${rule}.`, { field }));
}

/** Rejects a field that does not hold to its rule. */
export function demand(holds: boolean, field: string, rule: string): void {
  if (!holds) throw invalid(field, rule);
}
