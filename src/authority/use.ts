// The last step of Verify: whether this audience has used the token before.

import { type Refusal, refuse } from '../errors.ts';
import type { VerifiedToken } from '../token/index.ts';
import { type Caller, callerName } from './caller.ts';
import type { AuthorityParts } from './parts.ts';
import type { ReplayGuard } from './replay.ts';
import { type OpenVerdict, settleStep } from './verdict.ts';

/** What a verifier says about its use of a token. */
interface UseOrder {
  readonly token: string;
  readonly requestId: string;
  readonly replay: 'record' | 'observe' | 'skip';
}

/** One atomic step decides and remembers. A token that has failed already, as in a report, is only looked at. */
export async function judgeUse(
  parts: AuthorityParts,
  guard: ReplayGuard,
  caller: Caller,
  verdict: OpenVerdict,
  token: VerifiedToken,
  audience: string,
  order: UseOrder,
): Promise<void> {
  const now = parts.now();
  const { iss, wid, jti, exp } = token.claims;
  const signingInput = signingInputOf(order.token, token);
  const requestId = ownName(caller, order.requestId);
  const use = { audience, iss, wid, jti, digest: token.digest, signingInput, requestId };
  const { token: policy, replayTtlSeconds } = parts.policy;
  const keepUntil = Math.max(exp + policy.maxFutureSeconds, now + replayTtlSeconds);
  const remembers = order.replay === 'record' && verdict.refusal === undefined;
  const claim = await (remembers ? guard.claim(use, keepUntil, now) : guard.look(use, now));
  if (typeof claim !== 'string') {
    parts.notices.equivocated(token.claims, 'guard');
    verdict.equivocation = { signingInput, firstSigningInput: claim.firstSigningInput };
  }
  settleStep(verdict, verdict.outcomes.length, refusalOfUse(claim, jti));
}

/** A caller repeats its own calls only: whoever guesses another's id still replays. No caller's name has a blank. */
function ownName(caller: Caller, requestId: string): string {
  return requestId === '' ? '' : `${callerName(caller)} ${requestId}`;
}

function refusalOfUse(claim: Awaited<ReturnType<ReplayGuard['claim']>>, jti: string): Refusal | undefined {
  if (claim === 'fresh' || claim === 'repeated') return undefined;
  if (claim === 'replayed') return refuse('TOKEN_REPLAYED', 'This audience has verified the token before.');
  return refuse('TOKEN_EQUIVOCATED', 'This audience has verified another token for this task.', { jti });
}

function signingInputOf(text: string, { level }: VerifiedToken): string {
  return level === 'L1' ? text : text.slice(0, text.lastIndexOf('.'));
}
