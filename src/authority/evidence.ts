// Evidence: whether the ledger contains a token, and what the token was worth when it was recorded.

import type { LedgerRecord } from '../ledger/index.ts';
import type { TokenVerdict, VerifiedToken, VerifyOptions } from '../token/index.ts';
import type { AuthorityContext } from './context.ts';
import { readToken } from './read-token.ts';

/** The record of exactly this token; with `asOf` (seconds) only if it was recorded by then. */
export async function recordOf(
  { ledger }: AuthorityContext,
  token: VerifiedToken,
  asOf?: number,
): Promise<LedgerRecord | undefined> {
  const found = await ledger.find(token.claims.wid, token.claims.jti);
  return found !== undefined && isRecordOf(found, token, asOf) ? found : undefined;
}

/** Whether a record is that of exactly this token; with `asOf` (seconds) only if it was recorded by then. */
export function isRecordOf(record: LedgerRecord, token: VerifiedToken, asOf?: number): boolean {
  return isOf(record, token) && (asOf === undefined || secondOf(record) <= asOf);
}

/** Whether a record is that of exactly this token. */
export function isOf(record: Pick<LedgerRecord, 'digest'>, { digest }: { readonly digest: Uint8Array }): boolean {
  return Buffer.compare(record.digest, digest) === 0;
}

/** The second in which it was recorded. */
export function secondOf(record: LedgerRecord): number {
  return Math.floor(record.recordedAtMs / 1000);
}

/**
 * Checks the times of a recorded token as of its entry: the ledger shows that it was valid then, however long ago. Its key must be valid
 * both then and at the requested time; a compromise after the time of the entry does not matter.
 */
export async function readAsRecorded(
  context: AuthorityContext,
  text: string,
  options: VerifyOptions,
  read: TokenVerdict,
): Promise<TokenVerdict> {
  const assumed = hasFailedBy(read, isOfCompromisedKey)
    ? await readToken(context, text, { ...options, recordedAt: BEFORE_ANY_RECORD })
    : read;
  const { token } = assumed;
  const isLate = hasFailedBy(assumed, isPast);
  if (read.ok || token === undefined || !(assumed.ok || isLate)) return read;
  const record = await recordOf(context, token, options.asOf);
  if (record === undefined) return read;
  const recordedAt = secondOf(record);
  return readToken(context, text, { ...options, recordedAt, ...(isLate ? { asOf: recordedAt } : {}) });
}

/** Before any compromise, except one of all signatures of the key. */
export const BEFORE_ANY_RECORD = 0;

function hasFailedBy(read: TokenVerdict, isMeant: (reason: string) => boolean): boolean {
  return !read.ok && read.failures.some(({ rejection }) => isMeant(rejection.reason));
}

export function isOfCompromisedKey(reason: string): boolean {
  return reason === 'KEY_REVOKED';
}

function isPast(reason: string): boolean {
  return reason === 'TOKEN_EXPIRED' || reason === 'IAT_TOO_OLD';
}
