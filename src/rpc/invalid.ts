// How a request is refused for one of its fields.

import { EctError, refuse } from '../errors.ts';

/** A refusal of one field of a request. */
export function invalid(field: string, rule: string): EctError {
  return new EctError(refuse('REQUEST_INVALID', `${field} ${rule}.`, { field }));
}

/** Refuses a field that does not hold to its rule. */
export function demand(holds: boolean, field: string, rule: string): void {
  if (!holds) throw invalid(field, rule);
}
