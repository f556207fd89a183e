// Who is calling, and what proved it.

/** A caller. Nothing in a token or in a request message can change it. */
export type Caller =
  /** Nobody proved an identity; the service was opened for that (loopback, or behind a mesh's sidecar). */
  | { readonly kind: 'anonymous' }
  /** A workload with a SPIFFE ID, whatever proved it. */
  | { readonly kind: 'spiffe'; readonly id: string; readonly proof: Proof }
  /** A subject of an OpenID Connect issuer. `id` is a URI that the configuration derives from its claim, never a SPIFFE ID. */
  | { readonly kind: 'oidc'; readonly id: string; readonly proof: Proof };

/** What an identity rests on. It is for events and policies; it is no part of the name. */
export interface Proof {
  readonly method: 'mtls' | 'jwt' | 'wimse' | 'forwarded' | 'unix';
  /** Who vouched: the trust domain, the issuer of the JWT, the SPIFFE ID of the proxy, the path of the Unix socket. */
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
 * The scope of a request id. A proven caller has a space of its own. Anonymous callers cannot be told apart, so there
 * the request is part of the scope: another party's key neither answers another request's token nor makes it fail.
 */
export function keyScope(caller: Caller, requestDigest: Uint8Array): string {
  return caller.kind === 'anonymous'
    ? `anonymous ${Buffer.from(requestDigest).toString('base64url')}`
    : callerName(caller);
}
