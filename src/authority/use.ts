// The last step of Verify: whether this audience has used the token before.

import { EctError, type Refusal, refuse } from '../errors.ts';
import type { VerifiedToken } from '../token/index.ts';
import { type Caller, callerName } from './caller.ts';
import type { AuthorityParts } from './parts.ts';
import type { ReplayGuard } from './replay.ts';
import { type OpenVerdict, settleStep } from './verdict.ts';
import { writeFor } from './write-room.ts';
import { heldBytes } from './write-sizes.ts';

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
  const { iss, wid, jti, iat, exp } = token.claims;
  const signingInput = signingInputOf(order.token, token);
  const requestId = ownName(caller, order.requestId);
  const use = { audience, iss, wid, jti, iat, digest: token.digest, signingInput, requestId };
  const { token: policy, replayTtlSeconds } = parts.policy;
  // What is refused already needs no such answer: a bad token is a verdict.
  if (verdict.refusal === undefined) refuseForgotten(parts, exp + policy.maxFutureSeconds);
  const keepUntil = Math.max(exp + policy.maxFutureSeconds, parts.now() + replayTtlSeconds);
  // What this time leaves alive is remembered, also where the clock has jumped: a token that was used stays used.
  const earliest = parts.earliest();
  const remembers = order.replay === 'record' && verdict.refusal === undefined;
  const claim = remembers
    ? await writeFor(
        parts,
        { caller, use: 'replay', bytes: heldBytes(signingInput.length, requestId.length) },
        () => guard.claim(use, keepUntil, earliest),
        (answer) => answer === 'fresh',
      )
    : await guard.look(use, earliest);
  if (typeof claim !== 'string') {
    parts.notices.equivocated(token.claims, 'guard');
    verdict.equivocation = { signingInput, firstSigningInput: claim.firstSigningInput };
  }
  settleStep(verdict, verdict.outcomes.length, refusalOfUse(claim, jti));
}

/** One use of a proof by which a caller made itself known. Times are seconds since the epoch. */
export interface ProofUse {
  readonly jti: string;
  readonly expires: number;
  /** It cannot have been made before. */
  readonly issuedAfter: number;
  /** SHA-256 of the signing input. */
  readonly digest: Uint8Array;
}

/** The place of proofs among the uses of tokens: no `wid` has a control character. */
const PROOF_SCOPE = '\0proof';

/**
 * Remembers the use of a proof in one atomic step. Throws CALLER_UNTRUSTED where it was used before, and what the guard throws. What it takes
 * is charged to the caller.
 */
export async function claimProof(
  parts: AuthorityParts,
  guard: ReplayGuard,
  caller: Caller,
  { jti, expires, issuedAfter, digest }: ProofUse,
): Promise<void> {
  const keepUntil = expires + parts.policy.token.maxFutureSeconds;
  refuseForgotten(parts, keepUntil);
  const scope = { audience: '', iss: callerName(caller), wid: PROOF_SCOPE, jti };
  const use = { ...scope, iat: issuedAfter, digest, signingInput: '', requestId: '' };
  const isFirst = (claim: Awaited<ReturnType<ReplayGuard['claim']>>) => claim === 'fresh';
  const write = { caller, use: 'replay', bytes: heldBytes(0) } as const;
  const claim = await writeFor(parts, write, () => guard.claim(use, keepUntil, parts.earliest()), isFirst);
  if (isFirst(claim)) return;
  throw new EctError(refuse('CALLER_UNTRUSTED', 'The proof token is refused: it was used before.'));
}

/**
 * Where the clock was set back, tokens that had expired are alive again, and what was known of their uses is gone. Of tokens that
 * end before that time nobody can say whether they were used.
 */
function refuseForgotten(parts: AuthorityParts, keptUntil: number): void {
  const forgotten = parts.forgotten();
  if (keptUntil >= forgotten) return;
  const seconds = String(forgotten - keptUntil);
  const message = `The clock was set back: what ends in the next ${seconds} s may have been used, and nobody knows it any more.`;
  throw new EctError(
    refuse('CLOCK_UNTRUSTED', message, { difference_seconds: `-${seconds}`, retry_after_seconds: '5' }),
  );
}

/**
 * The shortest `request_id` of an anonymous caller: 128 bits in base64url. Such callers share one space of ids, so an id is
 * theirs only as far as nobody else guesses it, or comes upon it by counting.
 */
const MIN_ANONYMOUS_ID_CHARACTERS = 22;

/** The refusal of an id that is no proof of being the same caller. Asked for before any work. */
export function guessableId(caller: Caller, { requestId }: Pick<UseOrder, 'requestId'>): Refusal | undefined {
  if (caller.kind !== 'anonymous' || requestId === '' || requestId.length >= MIN_ANONYMOUS_ID_CHARACTERS) {
    return undefined;
  }
  const message =
    `request_id must have at least ${MIN_ANONYMOUS_ID_CHARACTERS} characters that nobody can guess, a random UUID for ` +
    'example: callers without a certificate are told apart by nothing else.';
  return refuse('REQUEST_INVALID', message, { field: 'request_id' });
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
