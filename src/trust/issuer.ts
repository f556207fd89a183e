// What the operator says about one issuer: where its keys come from, and what they are trusted for.

import type { TrustedKey } from '../keys/index.ts';
import type { Network } from './addresses.ts';
import type { ForeignKey } from './key-set.ts';
import type { KeySetTimes } from './remote-key-set.ts';

export interface Issuer {
  /** Its name: the `iss` of its tokens, or that above them. */
  readonly iss: string;
  readonly source: KeySource;
  /** Undefined: its keys verify no Execution Context Token. */
  readonly tokens: TokenTrust | undefined;
  /** Undefined: its JWTs prove no caller. */
  readonly callers: CallerTrust | undefined;
  /** The names that it gave to callers while it was trusted for them. They stand in tokens that this service issued. */
  readonly pastCallers: CallerIdentity | undefined;
}

export type KeySource = { readonly kind: 'inline'; readonly keys: readonly ForeignKey[] } | LoadedSource;

/** Keys that are read again and again. */
export interface LoadedSource {
  /** What is there: a key set, or a document that names the URL of one. */
  readonly kind: 'jwks_file' | 'jwks_uri' | 'discovery' | 'authority' | 'workload_api';
  /** A path for `jwks_file`, a trust domain for `workload_api`, otherwise a URL. */
  readonly place: string;
  readonly network: Network;
  /** PEM: the CAs that are trusted for its servers. */
  readonly caFile: string | undefined;
  /** A bearer token that is sent to the server of `place`, and to no other. */
  readonly tokenFile: string | undefined;
  readonly times: KeySetTimes;
}

export interface TokenTrust {
  /** Whether the issuer may sign in the name of this `iss`. */
  readonly speaksFor: (iss: string) => boolean;
  /** Undefined: every algorithm that the service allows. */
  readonly algorithms: readonly string[] | undefined;
}

export interface CallerTrust {
  /** What `aud` must be. */
  readonly audience: string;
  /** Whether `aud` may name others beside. */
  readonly acceptsOtherAudiences: boolean;
  readonly algorithms: readonly string[];
  /** From issuing, or where the JWT does not say when that was from now, to its end. */
  readonly maxLifetimeSeconds: number;
  readonly identity: CallerIdentity;
}

/** How the name of a caller is made. No two issuers of a file can make the same one. */
export type CallerIdentity =
  /** `sub` is the SPIFFE ID of a workload of this trust domain. */
  | { readonly kind: 'spiffe'; readonly trustDomain: string }
  /** A claim behind a prefix, as it is. */
  | { readonly kind: 'oidc'; readonly prefix: string; readonly claim: string };

/** A key as the ring holds it; undefined where it fits no algorithm that its issuer is trusted for. */
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
