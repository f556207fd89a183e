// The steps on a token by itself.

import { EctError, type ErrorReason } from '../errors.ts';
import { peekKey, type Question, type TokenVerdict, Verification } from '../token/index.ts';
import type { AuthorityParts } from './parts.ts';

/** Verifies one token. Throws ISSUER_KEYS_UNAVAILABLE where the keys of its issuer are needed and cannot be fetched; nothing else, whatever `text` may hold. */
export async function readToken(parts: AuthorityParts, text: string, question: Question): Promise<TokenVerdict> {
  const verdict = await verifyUnderHeldKeys(parts, text, question);
  if (verdict.ok) return verdict;
  return isOfUnheldKey(parts, text, verdict)
    ? readUnderPastKey(parts, text, question, verdict)
    : unlessMissed(parts, text, verdict);
}

async function verifyUnderHeldKeys(
  { policy, keys, signatures, batcher }: AuthorityParts,
  text: string,
  question: Question,
): Promise<TokenVerdict> {
  const verification = new Verification(text, question, policy.token, keys, signatures);
  if (verification.owesSignature) await batcher.add(() => verification.checkSignature());
  return verification.finish();
}

/** Whether it was refused, and no key is held that it could be of; one of another issuer may bear the name. */
function isOfUnheldKey({ keys }: AuthorityParts, text: string, verdict: TokenVerdict): boolean {
  if (verdict.ok || !verdict.failures.some(({ refusal }) => isOfNoSignature(refusal.reason))) return false;
  const named = peekKey(text);
  return named !== undefined && !keys.holds(named.kid, named.iss);
}

/** What a key of another issuer may answer for, where it bears the name of one that is not held. */
const UNDER_A_NAMESAKE: ReadonlySet<ErrorReason> = new Set([
  'KEY_UNKNOWN',
  'KEY_REVOKED',
  'KEY_EXPIRED',
  'KEY_MISMATCH',
  'SIGNATURE_INVALID',
  'ISSUER_MISMATCH',
]);

/** Whether the token was not signed under the key that was found: then it could be under another one of that name. */
function isOfNoSignature(reason: ErrorReason): boolean {
  return reason !== 'ISSUER_MISMATCH' && UNDER_A_NAMESAKE.has(reason);
}

/** The verdict, unless it only says that the keys of a foreign issuer are not held. Its set is fetched in the background. */
function unlessMissed({ keys }: AuthorityParts, text: string, verdict: TokenVerdict): TokenVerdict {
  if (verdict.ok || !verdict.failures.some(({ refusal }) => UNDER_A_NAMESAKE.has(refusal.reason))) return verdict;
  const named = peekKey(text);
  const refusal = named && keys.missed(named.kid, named.iss);
  if (refusal === undefined) return verdict;
  throw new EctError(refusal);
}

/** A key of ours that ended long ago is not held, and still answers for what it signed in its time. */
async function readUnderPastKey(
  parts: AuthorityParts,
  text: string,
  question: Question,
  verdict: TokenVerdict,
): Promise<TokenVerdict> {
  const kid = peekKey(text)?.kid;
  if (kid === undefined || !(await isRecalled(parts, kid, question))) return unlessMissed(parts, text, verdict);
  return unlessMissed(parts, text, await verifyUnderHeldKeys(parts, text, question));
}

/** As of now a key that ended long ago is refused in any case, so that it cannot be looked for is no failure. */
async function isRecalled({ keys }: AuthorityParts, kid: string, { asOf }: Question): Promise<boolean> {
  const recalling = keys.recall(kid);
  return asOf === undefined ? recalling.catch(() => false) : recalling;
}
