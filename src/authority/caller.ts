// Who is calling, as proven by the connection.

/** A caller. Nothing in a token or in a request message can change it. */
export type Caller =
  /** Nobody proved an identity; the service was opened for that (loopback, or behind a mesh's sidecar). */
  | { readonly kind: 'anonymous' }
  /** A workload that presented an X.509-SVID: `id` is its SPIFFE ID. */
  | { readonly kind: 'spiffe'; readonly id: string };

/** A stable name of the caller, for scopes and events. */
export function callerName(caller: Caller): string {
  return caller.kind === 'anonymous' ? 'anonymous' : caller.id;
}

/**
 * The scope of an idempotency key. A proven caller has a space of its own. Anonymous callers cannot be told apart, so there
 * the request is part of the scope: somebody else's key neither answers another request's token nor makes it fail.
 */
export function keyScope(caller: Caller, requestDigest: Uint8Array): string {
  return caller.kind === 'anonymous'
    ? `anonymous ${Buffer.from(requestDigest).toString('base64url')}`
    : callerName(caller);
}
