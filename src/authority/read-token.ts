// The steps on a token by itself.

import { EctError, type ErrorReason } from '../errors.ts';
import { peekKey, type TokenVerdict, Verification, type VerifyOptions } from '../token/index.ts';
import type { AuthorityContext } from './context.ts';

/** Verifies one token. Throws ISSUER_KEYS_UNAVAILABLE where the keys of its issuer are needed and cannot be fetched; nothing else, whatever `text` may hold. */
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

/** Whether it was rejected, and no key is held that it could be of; one of another issuer may bear the name. */
function isOfUnheldKey({ keys }: AuthorityContext, text: string, verdict: TokenVerdict): boolean {
  if (verdict.ok || !verdict.failures.some(({ rejection }) => isOfNoSignature(rejection.reason))) return false;
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
function unlessMissed({ keys }: AuthorityContext, text: string, verdict: TokenVerdict): TokenVerdict {
  if (verdict.ok || !verdict.failures.some(({ rejection }) => UNDER_A_NAMESAKE.has(rejection.reason))) return verdict;
  const named = peekKey(text);
  const rejection = named && keys.missed(named.kid, named.iss);
  if (rejection === undefined) return verdict;
  throw new EctError(rejection);
}

/** A key of ours that ended long ago is not held, and still answers for what it signed in its time. */
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

/** As of now a key that ended long ago is rejected in any case, so that it cannot be looked for is no failure. */
async function isRecalled({ keys }: AuthorityContext, kid: string, { asOf }: VerifyOptions): Promise<boolean> {
  const recalling = keys.findPastKey(kid);
  return asOf === undefined ? recalling.catch(() => false) : recalling;
}
