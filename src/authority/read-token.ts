// The steps on a token by itself.

import { andThen, type Cut } from '../keys/index.ts';
import { peekKid, type Question, type TokenVerdict, Verification } from '../token/index.ts';
import type { AuthorityParts } from './parts.ts';

/** Begins to verify one token. */
export function beginReading(parts: AuthorityParts, text: string, question: Question): Cut<TokenVerdict> {
  return andThen(begin(parts, text, question), (verdict) =>
    isOfUnknownKey(verdict) ? readUnderPastKey(parts, text, question, verdict) : verdict,
  );
}

/** Verifies one token. Never throws for anything that `text` may hold. */
export function readToken(
  parts: AuthorityParts,
  text: string,
  question: Question,
): TokenVerdict | Promise<TokenVerdict> {
  return parts.rounds.finish(beginReading(parts, text, question));
}

function begin({ policy, keys, signatures }: AuthorityParts, text: string, question: Question): Verification {
  return new Verification(text, question, policy.token, keys, signatures);
}

function isOfUnknownKey(verdict: TokenVerdict): boolean {
  return !verdict.ok && verdict.failures.some(({ refusal }) => refusal.reason === 'KEY_UNKNOWN');
}

/** A key of ours that ended long ago is not held, and still answers for what it signed in its time. */
async function readUnderPastKey(
  parts: AuthorityParts,
  text: string,
  question: Question,
  verdict: TokenVerdict,
): Promise<TokenVerdict> {
  const kid = peekKid(text);
  if (kid === undefined || !(await isRecalled(parts, kid, question))) return verdict;
  return parts.rounds.finish(begin(parts, text, question));
}

/** As of now a key that ended long ago is refused in any case, so that it cannot be looked for is no failure. */
async function isRecalled({ keys }: AuthorityParts, kid: string, { asOf }: Question): Promise<boolean> {
  const recalling = keys.recall(kid);
  return asOf === undefined ? recalling.catch(() => false) : recalling;
}
