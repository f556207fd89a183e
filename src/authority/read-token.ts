// The steps on a token by itself.

import type { Cut } from '../keys/index.ts';
import { type Question, type TokenVerdict, Verification } from '../token/index.ts';
import type { AuthorityParts } from './parts.ts';

/** Begins to verify one token. */
export function beginReading(
  { policy, keys, signatures }: AuthorityParts,
  text: string,
  question: Question,
): Cut<TokenVerdict> {
  return new Verification(text, question, policy.token, keys, signatures);
}

/** Verifies one token. Never throws for anything that `text` may hold. */
export function readToken(
  parts: AuthorityParts,
  text: string,
  question: Question,
): TokenVerdict | Promise<TokenVerdict> {
  return parts.rounds.finish(beginReading(parts, text, question));
}
