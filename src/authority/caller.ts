// The caller, and how it was authenticated.

/** A caller. Nothing in a token or a request message can change it. */
export type Caller =
  /** An unauthenticated caller; the operator allows these (on loopback, or behind the sidecar of a mesh). */
  | { readonly kind: 'anonymous' }
  /** A workload with a SPIFFE ID, however it was authenticated. */
  | { readonly kind: 'spiffe'; readonly id: string; readonly proof: Proof }
  /** A subject of an OpenID Connect issuer. `id` is a URI that the configuration derives from its claim, never a SPIFFE ID. */
  | { readonly kind: 'oidc'; readonly id: string; readonly proof: Proof };

/** How a caller was authenticated. For events and policies; not part of its name. */
export interface Proof {
  readonly method: 'mtls' | 'jwt' | 'wimse' | 'forwarded' | 'unix';
  readonly strength: Exclude<ProofStrength, 'none'>;
  /** Who authenticated the caller: the trust domain, the issuer of the JWT, the SPIFFE ID of the proxy, the path of the Unix socket. */
  readonly by: string;
  /** For a proof that may be used once: stores its use, or rejects. Called before any work for the call. */
  readonly demandUnused?: () => Promise<void>;
}

/**
 * The strength of a proof. `possession`: the caller has shown that it holds a private key, for this connection or request. `vouched`: an
 * authenticated proxy names it. `bearer`: a token that anyone who has it can present. `local`: it may open a Unix socket of this machine.
 * `none`: no proof.
 */
export type ProofStrength = 'possession' | 'vouched' | 'bearer' | 'local' | 'none';

const STRENGTHS: Readonly<Record<Proof['method'], Proof['strength']>> = {
  mtls: 'possession',
  wimse: 'possession',
  forwarded: 'vouched',
  jwt: 'bearer',
  unix: 'local',
};

/** A proof of this kind, by the party that it names. */
export function proofBy(method: Proof['method'], by: string): Proof {
  return { method, strength: STRENGTHS[method], by };
}

/** A stable name of the caller, for scopes and events. */
export function callerName(caller: Caller): string {
  return caller.kind === 'anonymous' ? 'anonymous' : caller.id;
}

/** The proof of a caller, if it has one. */
export function proofOf(caller: Caller): Proof | undefined {
  return caller.kind === 'anonymous' ? undefined : caller.proof;
}

/**
 * The scope of a request id. An authenticated caller has its own scope. Anonymous callers cannot be distinguished, so for them
 * the request is part of the scope: a request id of another party neither returns the token of this request nor makes it fail.
 */
export function keyScope(caller: Caller, requestDigest: Uint8Array): string {
  return caller.kind === 'anonymous'
    ? `anonymous ${Buffer.from(requestDigest).toString('base64url')}`
    : callerName(caller);
}
