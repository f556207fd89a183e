// A retry under a request id gets the token of the first call.

import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { EctError, type Rejection, reject } from '../errors.ts';
import { peekKey, type VerifiedToken } from '../token/index.ts';
import { verifyRecord } from './ancestry.ts';
import { type Caller, keyScope } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import type { IdempotentResult } from './idempotency-store.ts';
import type { IssueInput, OwnToken } from './issue-input.ts';
import { writeFor } from './write-reservation.ts';
import { heldBytes } from './write-sizes.ts';

/** The token of an earlier call with the same request id, if the request has one and the token has not expired. */
export async function findIssuedToken(
  context: AuthorityContext,
  caller: Caller,
  input: IssueInput,
): Promise<OwnToken | undefined> {
  const digest = digestOfIssueInput(input);
  const earlier = await context.idempotency.findIssued(keyScope(caller, digest), input.requestId, context.earliest());
  return earlier && reread(context, input, digest, earlier);
}

/**
 * Stores a token under the request id before it is returned. Two concurrent calls return the token of the first one. It is stored before
 * it is recorded, so that a retry records the same token.
 */
export async function rememberToken(
  context: AuthorityContext,
  caller: Caller,
  input: IssueInput,
  minted: OwnToken,
): Promise<OwnToken> {
  const issued = { requestDigest: digestOfIssueInput(input), token: minted.text };
  const scope = keyScope(caller, issued.requestDigest);
  const kept = await writeFor(
    context,
    { caller, use: 'idempotency', bytes: heldBytes(Buffer.byteLength(minted.text)) },
    () => context.idempotency.remember(scope, input.requestId, issued, lastSecondOf(minted), context.earliest()),
    ({ token }) => token === minted.text,
  );
  return kept.token === minted.text ? minted : reread(context, input, issued.requestDigest, kept);
}

/**
 * The last second in which a retry gets the token. Then the next token takes its place, also for processes whose clocks are behind: at each
 * time an id has one token.
 */
function lastSecondOf({ claims }: OwnToken): number {
  return claims.exp - 1;
}

async function reread(
  context: AuthorityContext,
  input: IssueInput,
  digest: Uint8Array,
  earlier: IdempotentResult,
): Promise<OwnToken> {
  if (Buffer.compare(earlier.requestDigest, digest) !== 0) {
    throw new EctError(
      reject('IDEMPOTENCY_CONFLICT', 'The request_id was used for another request.', requestOf(input)),
    );
  }
  const verified = await verifyOwn(readsOwn(context, input), earlier.token);
  if (!('reason' in verified)) return { text: earlier.token, claims: verified.claims, kid: verified.kid };
  if (verified.reason !== 'KEY_UNKNOWN' && verified.reason !== 'KEY_REVOKED') throw new EctError(verified);
  // No verifier accepts the token any more, and a retry cannot change that: its key was revoked, or belongs to a ledger that has ended.
  const message = `The token that was issued under this request_id no longer verifies (${verified.reason}).`;
  throw new EctError(reject('IDEMPOTENCY_CONFLICT', message, requestOf(input)));
}

/** The id that the caller chose. An item of a batch has one with spaces, which the batch gave it. */
function requestOf({ requestId }: IssueInput): { readonly request_id?: string } {
  return requestId.includes(' ') ? {} : { request_id: requestId };
}

/** Another process may have announced the key just now. */
async function verifyOwn(context: AuthorityContext, text: string): Promise<VerifiedToken | Rejection> {
  const verified = verifyRecord(context, text);
  if (!('reason' in verified) || verified.reason !== 'KEY_UNKNOWN') return verified;
  return (await context.keys.findPastKey(peekKey(text)?.kid ?? '')) ? verifyRecord(context, text) : verified;
}

/** A stored token was issued here, so the accepted levels and drafts of others do not apply. */
function readsOwn(context: AuthorityContext, { level, draft }: IssueInput): AuthorityContext {
  const token = { ...context.policy.token, minimumLevel: level, minimumLevels: new Map(), drafts: [draft] };
  return { ...context, policy: { ...context.policy, token } };
}

/** Two requests are the same if all fields except the request id are equal, the extension by its exact text. */
export function digestOfIssueInput(input: IssueInput): Buffer {
  const { requestId: _, ext, ...rest } = input;
  const same = { ...rest, ttlSeconds: rest.ttlSeconds ?? null, ext: ext?.text ?? null };
  return createHash('sha256')
    .update(canonicalize(same) as string)
    .digest();
}
