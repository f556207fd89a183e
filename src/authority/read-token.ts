// The steps on a token by itself, for who can wait for the next round of signatures.

import { type Question, type TokenVerdict, Verification } from '../token/index.ts';
import type { AuthorityParts } from './parts.ts';

/** Verifies one token. Never throws for anything that `text` may hold. */
export function readToken(
  { policy, keys, signatures, rounds }: AuthorityParts,
  text: string,
  question: Question,
): TokenVerdict | Promise<TokenVerdict> {
  const verification = new Verification(text, question, policy.token, keys, signatures);
  if (!verification.owesSignature) return verification.finish();
  return rounds.do(() => verification.checkSignature()).then(() => verification.finish());
}
