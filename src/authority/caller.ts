// The caller, and how it was authenticated.

/** A caller. Nothing in a token or in a request message can change it. */
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
  /** The authenticating party: the trust domain, the issuer of the JWT, the SPIFFE ID of the proxy, or the path of the Unix socket. */
  readonly by: string;
  /** Of a proof that counts once: remembers that it was used, or rejects. To be asked before anything is done for the call. */
  readonly demandUnused?: () => Promise<void>;
}

/** A stable name of the caller, for scopes and events. */
export function callerName(caller: Caller): string {
  return caller.kind === 'anonymous' ? 'anonymous' : caller.id;
}

/** The proof of a caller that has one. */
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
