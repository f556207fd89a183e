// Which `iss` a token may have. An authority that signs for every name is a forgery service.

import { EctError, reject } from '../errors.ts';
import { isWithin } from '../token/index.ts';
import type { Caller } from './caller.ts';

/**
 * The `iss` of a token for this caller. An authenticated caller only has its own identity. An anonymous caller, if the operator allows
 * these, has the issuer of the service and the names below it. Otherwise ISSUER_NOT_ALLOWED.
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

/** The default `iss` of a caller. */
export function defaultIssuer(caller: Caller, ownIssuer: string): string {
  return caller.kind === 'anonymous' ? ownIssuer : caller.id;
}
