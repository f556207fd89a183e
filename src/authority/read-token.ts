// The verification steps that need only the token.

import { EctError, type ErrorReason } from '../errors.ts';
import { peekKey, type TokenVerdict, Verification, type VerifyOptions } from '../token/index.ts';
import type { AuthorityContext } from './context.ts';

/** Verifies one token. Throws only ISSUER_KEYS_UNAVAILABLE, if the keys of the issuer are needed and cannot be fetched. */
export async function readToken(
  context: AuthorityContext,
  text: string,
  options: VerifyOptions,
): Promise<TokenVerdict> {
  const verdict = await verifyUnderHeldKeys(context, text, options);
  if (verdict.ok) return verdict;
  return isOfUnheldKey(context, text, verdict)
    ? readUnderPastKey(context, text, options, verdict)
    : unlessMissed(context, text, verdict);
}

async function verifyUnderHeldKeys(
  { policy, keys, signatures, batcher }: AuthorityContext,
  text: string,
  options: VerifyOptions,
): Promise<TokenVerdict> {
  const verification = new Verification(text, options, policy.token, keys, signatures);
  if (verification.owesSignature) await batcher.add(() => verification.checkSignature());
  return verification.finish();
}

/** Whether the token was rejected because its key is unknown. A key of another issuer may have the same `kid`. */
function isOfUnheldKey({ keys }: AuthorityContext, text: string, verdict: TokenVerdict): boolean {
  if (verdict.ok || !verdict.failures.some(({ rejection }) => isOfNoSignature(rejection.reason))) return false;
  const named = peekKey(text);
  return named !== undefined && !keys.holds(named.kid, named.iss);
}

/** Reasons that a key of another issuer with the same `kid` can cause, if the key of the token is unknown. */
const UNDER_A_NAMESAKE: ReadonlySet<ErrorReason> = new Set([
  'KEY_UNKNOWN',
  'KEY_REVOKED',
  'KEY_EXPIRED',
  'KEY_MISMATCH',
  'SIGNATURE_INVALID',
  'ISSUER_MISMATCH',
]);

/** Whether the signature does not verify under the key that was found: another key may have the same `kid`. */
function isOfNoSignature(reason: ErrorReason): boolean {
  return reason !== 'ISSUER_MISMATCH' && UNDER_A_NAMESAKE.has(reason);
}

/** The verdict, unless the keys of a foreign issuer are unavailable; these are fetched in the background. */
function unlessMissed({ keys }: AuthorityContext, text: string, verdict: TokenVerdict): TokenVerdict {
  if (verdict.ok || !verdict.failures.some(({ rejection }) => UNDER_A_NAMESAKE.has(rejection.reason))) return verdict;
  const named = peekKey(text);
  const rejection = named && keys.missed(named.kid, named.iss);
  if (rejection === undefined) return verdict;
  throw new EctError(rejection);
}

/** Keys of this service that expired long ago are not in the key ring, but their old tokens are still valid as evidence. */
async function readUnderPastKey(
  context: AuthorityContext,
  text: string,
  options: VerifyOptions,
  verdict: TokenVerdict,
): Promise<TokenVerdict> {
  const kid = peekKey(text)?.kid;
  if (kid === undefined || !(await isRecalled(context, kid, options))) return unlessMissed(context, text, verdict);
  return unlessMissed(context, text, await verifyUnderHeldKeys(context, text, options));
}

/** As of now such a key is rejected in any case, so a failed lookup in the ledger does not matter. */
async function isRecalled({ keys }: AuthorityContext, kid: string, { asOf }: VerifyOptions): Promise<boolean> {
  const finding = keys.findPastKey(kid);
  return asOf === undefined ? finding.catch(() => false) : finding;
}
