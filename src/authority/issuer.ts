// Whose name a token may carry. An authority that signs for anybody is a forgery service.

import { EctError, reject } from '../errors.ts';
import { isWithin } from '../token/index.ts';
import type { Caller } from './caller.ts';

/**
 * The `iss` of a token for this caller. A proven caller has its own identity and no other. An anonymous caller, where
 * the service was opened for such, has the service's own issuer and the names below it. ISSUER_NOT_ALLOWED otherwise.
 */
export function issuerFor(caller: Caller, requested: string, ownIssuer: string): string {
  const iss = requested === '' ? defaultIssuer(caller, ownIssuer) : requested;
  if (isOwnName(caller, iss, ownIssuer)) return iss;
  throw rejectIssuer(caller, iss, ownIssuer);
}

/** Whether the built-in rules let this caller issue in the name of `iss`. */
export function isOwnName(caller: Caller, iss: string, ownIssuer: string): boolean {
  return caller.kind === 'anonymous' ? isWithin(iss, ownIssuer) : iss === caller.id;
}

export function rejectIssuer(caller: Caller, iss: string, ownIssuer: string): EctError {
  const scope = caller.kind === 'anonymous' ? `${ownIssuer} and names below it` : 'its own identity';
  return new EctError(
    reject('ISSUER_NOT_ALLOWED', `This caller may issue only as ${scope}.`, { iss: iss.slice(0, 256) }),
  );
}

/** The name that a caller issues in where it asks for none. */
export function defaultIssuer(caller: Caller, ownIssuer: string): string {
  return caller.kind === 'anonymous' ? ownIssuer : caller.id;
}
