// The configuration of one issuer: the source of its keys, and what they are trusted for.

import type { TrustedKey } from '../keys/index.ts';
import type { Network } from './addresses.ts';
import type { ForeignKey } from './key-set.ts';
import type { KeySetTimes } from './remote-key-set.ts';

export interface Issuer {
  /** Its name: the `iss` of its tokens, or a prefix of that. */
  readonly iss: string;
  readonly source: KeySource;
  /** Undefined: its keys verify no Execution Context Token. */
  readonly tokens: TokenTrust | undefined;
  /** Undefined: its JWTs authenticate no caller. */
  readonly callers: CallerTrust | undefined;
  /** The names of its callers while it was trusted for them. Tokens that this service issued contain them. */
  readonly pastCallers: CallerIdentity | undefined;
}

export type KeySource = { readonly kind: 'inline'; readonly keys: readonly ForeignKey[] } | LoadedSource;

/** A source of keys that is read periodically. */
export interface LoadedSource {
  /** Its content: a key set, or a document with the URL of one. */
  readonly kind: 'jwks_file' | 'jwks_uri' | 'discovery' | 'authority' | 'workload_api';
  /** A path for `jwks_file`, a trust domain for `workload_api`, otherwise a URL. */
  readonly place: string;
  readonly network: Network;
  /** PEM: the CAs of its servers. */
  readonly caFile: string | undefined;
  /** A bearer token that is sent only to the server of `place`. */
  readonly tokenFile: string | undefined;
  readonly times: KeySetTimes;
}

export interface TokenTrust {
  /** Whether the issuer may sign with this `iss`. */
  readonly speaksFor: (iss: string) => boolean;
  /** Undefined: every algorithm that the service permits. */
  readonly algorithms: readonly string[] | undefined;
}

export interface CallerTrust {
  /** The required `aud`. */
  readonly audience: string;
  /** Whether `aud` may contain others too. */
  readonly acceptsOtherAudiences: boolean;
  readonly algorithms: readonly string[];
  /** The maximum lifetime of a JWT, from issuing, or from now if the JWT has no such time. */
  readonly maxLifetimeSeconds: number;
  readonly identity: CallerIdentity;
}

/** How the name of a caller is formed. No two issuers of a file can form the same one. */
export type CallerIdentity =
  /** `sub` is the SPIFFE ID of a workload of this trust domain. */
  | { readonly kind: 'spiffe'; readonly trustDomain: string }
  /** A prefix and a claim, unchanged. */
  | { readonly kind: 'oidc'; readonly prefix: string; readonly claim: string };

/** The key for the key ring; undefined if it fits no algorithm that its issuer is trusted for. */
export function tokenKey(key: ForeignKey, { speaksFor, algorithms }: TokenTrust): TrustedKey | undefined {
  const { kid, publicKey, notBefore, notAfter, revokedAt } = key;
  const allowed = key.algorithms.filter((name) => algorithms?.includes(name) !== false);
  if (allowed.length === 0) return undefined;
  return {
    kid,
    publicKey,
    algorithms: allowed,
    speaksFor,
    ...(notBefore === undefined ? {} : { notBefore }),
    ...(notAfter === undefined ? {} : { notAfter }),
    ...(revokedAt === undefined ? {} : { revokedAt }),
  };
}
