// Whose name a token may carry. An authority that signs for anybody is a forgery service.

import { EctError, refuse } from '../errors.ts';
import type { Caller } from './caller.ts';

/**
 * The `iss` of a token for this caller. A proven caller has its own identity and no other. An anonymous caller, where
 * the service was opened for such, has the service's own issuer and the names below it. ISSUER_NOT_ALLOWED otherwise.
 */
export function issuerFor(caller: Caller, requested: string, ownIssuer: string): string {
  const iss = requested === '' ? defaultIssuer(caller, ownIssuer) : requested;
  const allowed = caller.kind === 'spiffe' ? iss === caller.id : isWithin(iss, ownIssuer);
  if (allowed) return iss;
  const scope = caller.kind === 'spiffe' ? 'its own identity' : `${ownIssuer} and names below it`;
  throw new EctError(
    refuse('ISSUER_NOT_ALLOWED', `This caller may issue only as ${scope}.`, { iss: iss.slice(0, 256) }),
  );
}

function defaultIssuer(caller: Caller, ownIssuer: string): string {
  return caller.kind === 'spiffe' ? caller.id : ownIssuer;
}

/**
 * Whether `iss` is `ownIssuer` or a name below it: `urn:ect:dev:a` below `urn:ect:dev`, `https://example.com/a` below
 * `https://example.com`. A colon after a URI with an authority would be a port, so only a slash leads below that.
 */
export function isWithin(iss: string, ownIssuer: string): boolean {
  if (iss === ownIssuer) return true;
  if (!iss.startsWith(ownIssuer)) return false;
  const rest = iss.slice(ownIssuer.length);
  const separator = rest.charAt(0);
  const leadsBelow = separator === '/' || (separator === ':' && !ownIssuer.includes('://'));
  if (!leadsBelow || rest.length === 1) return false;
  return !rest.includes('.') || !rest.split('/').some((segment) => segment === '.' || segment === '..');
}
