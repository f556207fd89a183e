// Callers with a JWT in `authorization: Bearer`: a JWT-SVID, a token of a Kubernetes service account, or a token of any OpenID Connect
// issuer that the operator named.

import type { Authenticator } from './authenticate.ts';
import { demandAudience, untrusted } from './jwt-rules.ts';
import { type JwtCallersPorts, type JwtKind, jwtVerifier } from './jwt-verifier.ts';

const MAX_TOKEN_CHARACTERS = 8 * 1024;
/** RFC 6750, 2.1. */
const BEARER = /^bearer +([A-Za-z0-9._-]+)$/i;
/** Types of JWT that authenticate someone. Others, such as Execution Context Tokens, do not. */
const TYPES: ReadonlySet<unknown> = new Set([
  undefined,
  'jwt',
  'jose',
  'at+jwt',
  'application/jwt',
  'application/at+jwt',
]);

/** The rules for a bearer token. */
export const BEARER_TOKEN: JwtKind<undefined> = {
  method: 'jwt',
  types: TYPES,
  demand: demandAudience,
  take: () => undefined,
};

/**
 * Returns the caller of a bearer token; undefined if a request has no `authorization`, or one that `isForOthers` assigns to another kind
 * of credential. Throws CALLER_UNTRUSTED, CALLER_ID_INVALID, and ISSUER_KEYS_UNAVAILABLE if the keys of the issuer are being fetched, or
 * cannot be.
 */
export function jwtCallers(
  ports: JwtCallersPorts,
  isForOthers: (value: string) => boolean = () => false,
): Authenticator {
  const verify = jwtVerifier(ports, BEARER_TOKEN);
  return (presented) => {
    const values = presented.header('authorization');
    const [value] = values;
    if (value === undefined || (values.length === 1 && isForOthers(value))) return undefined;
    return verify(tokenIn(values)).caller;
  };
}

function tokenIn(values: readonly string[]): string {
  const [value = '', ...more] = values;
  if (more.length > 0) throw untrusted('there is more than one authorization header');
  if (value.length > MAX_TOKEN_CHARACTERS) throw untrusted(`it is longer than ${MAX_TOKEN_CHARACTERS} characters`);
  const token = BEARER.exec(value)?.[1];
  if (token === undefined) throw untrusted('authorization is not Bearer and a JWT');
  return token;
}
