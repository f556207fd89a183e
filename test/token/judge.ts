// What the verifier says of a token, in one word.

import type { KeyRing } from '../../src/keys/index.ts';
import { type TokenPolicy, type TokenVerdict, type VerifyOptions, verifyToken } from '../../src/token/index.ts';
import { AUD, keys, NOW, policy } from '../support/tokens.ts';

interface Circumstances {
  readonly question?: Partial<VerifyOptions>;
  readonly policy?: Partial<TokenPolicy>;
  readonly ring?: KeyRing;
}

export function judge(
  token: string,
  { question = {}, policy: more = {}, ring = keys }: Circumstances = {},
): TokenVerdict {
  const asked: VerifyOptions = { now: NOW, audience: AUD, purpose: 'presented', ...question };
  return verifyToken(token, asked, { ...policy, ...more }, ring);
}

/** `VALID`, or the reason why not. */
export function reasonFor(token: string, circumstances: Circumstances = {}): string {
  const verdict = judge(token, circumstances);
  return verdict.ok ? 'VALID' : verdict.rejection.reason;
}

/** The same with the claim that is at fault: `CLAIM_INVALID iat`. */
export function faultIn(token: string, circumstances: Circumstances = {}): string {
  const verdict = judge(token, circumstances);
  return verdict.ok ? 'VALID' : `${verdict.rejection.reason} ${verdict.rejection.metadata['claim'] ?? ''}`.trim();
}
