// Rejects a request because of one of its fields.

import { EctError, reject } from '../errors.ts';

/** Returns the error for one field of a request: REQUEST_INVALID, with the rule that the field violates. */
export function invalid(field: string, rule: string): EctError {
  return new EctError(reject('REQUEST_INVALID', `${field} ${rule}.`, { field }));
}

/** Rejects a field if its rule does not hold. */
export function demand(holds: boolean, field: string, rule: string): void {
  if (!holds) throw invalid(field, rule);
}
