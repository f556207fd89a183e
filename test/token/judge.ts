// What the verifier says of a token, in one word.

import type { KeyRing } from '../../src/keys/index.ts';
import { type Question, type TokenPolicy, type TokenVerdict, verifyToken } from '../../src/token/index.ts';
import { AUD, keys, NOW, policy } from '../support/tokens.ts';

interface Circumstances {
  readonly question?: Partial<Question>;
  readonly policy?: Partial<TokenPolicy>;
  readonly ring?: KeyRing;
}

export function judge(
  token: string,
  { question = {}, policy: more = {}, ring = keys }: Circumstances = {},
): TokenVerdict {
  const asked: Question = { now: NOW, audience: AUD, reading: 'presented', ...question };
  return verifyToken(token, asked, { ...policy, ...more }, ring);
}

/** `VALID`, or the reason why not. */
export function reasonFor(token: string, circumstances: Circumstances = {}): string {
  const verdict = judge(token, circumstances);
  return verdict.ok ? 'VALID' : verdict.refusal.reason;
}

/** The same with the claim that is at fault: `CLAIM_INVALID iat`. */
export function faultIn(token: string, circumstances: Circumstances = {}): string {
  const verdict = judge(token, circumstances);
  return verdict.ok ? 'VALID' : `${verdict.refusal.reason} ${verdict.refusal.facts['claim'] ?? ''}`.trim();
}
