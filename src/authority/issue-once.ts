// A retry under a request id gets the token that the first call made.

import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { EctError, type Refusal, refuse } from '../errors.ts';
import { peekKey, type VerifiedToken } from '../token/index.ts';
import { verifyRecord } from './ancestry.ts';
import { type Caller, keyScope } from './caller.ts';
import type { IssuedOnce } from './issue-memo.ts';
import type { IssueOrder, OwnToken } from './issue-order.ts';
import type { AuthorityParts } from './parts.ts';
import { writeFor } from './write-room.ts';
import { heldBytes } from './write-sizes.ts';

/** The token that the same request was answered with before, if the caller named it by a request id. */
export async function recallToken(
  parts: AuthorityParts,
  caller: Caller,
  order: IssueOrder,
): Promise<OwnToken | undefined> {
  const digest = digestOfOrder(order);
  const earlier = await parts.memo.recall(keyScope(caller, digest), order.requestId, parts.earliest());
  return earlier === undefined ? undefined : reread(parts, order, digest, earlier);
}

/**
 * Remembers a token under the caller's key before it leaves. Of two concurrent calls the first one's token stands and
 * both are answered with it. It is remembered before it is recorded, so that a retry records the very same token.
 */
export async function rememberToken(
  parts: AuthorityParts,
  caller: Caller,
  order: IssueOrder,
  minted: OwnToken,
): Promise<OwnToken> {
  const issued = { requestDigest: digestOfOrder(order), token: minted.text };
  const keepUntil = minted.claims.exp + parts.policy.token.maxFutureSeconds;
  const scope = keyScope(caller, issued.requestDigest);
  const kept = await writeFor(
    parts,
    { caller, use: 'idempotency', bytes: heldBytes(minted.text.length) },
    () => parts.memo.remember(scope, order.requestId, issued, keepUntil, parts.earliest()),
    ({ token }) => token === minted.text,
  );
  return kept.token === minted.text ? minted : reread(parts, order, issued.requestDigest, kept);
}

async function reread(
  parts: AuthorityParts,
  order: IssueOrder,
  digest: Uint8Array,
  earlier: IssuedOnce,
): Promise<OwnToken> {
  if (Buffer.compare(earlier.requestDigest, digest) !== 0) {
    throw new EctError(refuse('IDEMPOTENCY_CONFLICT', 'The request id stands for another request.'));
  }
  const verified = await verifyOwn(readsOwn(parts, order), earlier.token);
  if (!('reason' in verified)) return { text: earlier.token, claims: verified.claims, kid: verified.kid };
  if (verified.reason !== 'KEY_UNKNOWN' && verified.reason !== 'KEY_REVOKED') throw new EctError(verified);
  // Nobody accepts the token any more, and no retry changes that: its key was revoked, or announced in a ledger that has ended.
  const message = `The token that was issued under this request_id does not verify any more (${verified.reason}).`;
  throw new EctError(refuse('IDEMPOTENCY_CONFLICT', message));
}

/** The key may be one that another process has announced just now. */
async function verifyOwn(parts: AuthorityParts, text: string): Promise<VerifiedToken | Refusal> {
  const verified = verifyRecord(parts, text);
  if (!('reason' in verified) || verified.reason !== 'KEY_UNKNOWN') return verified;
  return (await parts.keys.recall(peekKey(text)?.kid ?? '')) ? verifyRecord(parts, text) : verified;
}

/** What was issued on request is read again, whatever levels and drafts are accepted from others by now. */
function readsOwn(parts: AuthorityParts, { level, draft }: IssueOrder): AuthorityParts {
  const token = { ...parts.policy.token, minimumLevel: level, minimumLevels: new Map(), drafts: [draft] };
  return { ...parts, policy: { ...parts.policy, token } };
}

/** What makes two requests the same: every field but the key, the extension by its exact text. */
export function digestOfOrder(order: IssueOrder): Buffer {
  const { requestId: _, ext, ...rest } = order;
  const same = { ...rest, ttlSeconds: rest.ttlSeconds ?? null, ext: ext?.text ?? null };
  return createHash('sha256')
    .update(canonicalize(same) as string)
    .digest();
}
