// The last step of Verify: whether the audience has used the token before.

import { namesOf } from '../dag/index.ts';
import { EctError, type Rejection, reject } from '../errors.ts';
import type { VerifiedToken } from '../token/index.ts';
import { type Caller, callerName } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import type { ReplayGuard } from './replay-guard.ts';
import { type OpenVerdict, recordStep } from './verdict.ts';
import { writeFor } from './write-reservation.ts';
import { heldBytes } from './write-sizes.ts';

/** The use of a token by a verifier. */
interface UseInput {
  readonly token: string;
  readonly requestId: string;
  readonly replay: 'record' | 'observe' | 'skip';
}

/** One atomic step checks and stores the use. For a token that has failed already, as in a report, it only checks. */
export async function judgeUse(
  context: AuthorityContext,
  guard: ReplayGuard,
  caller: Caller,
  verdict: OpenVerdict,
  token: VerifiedToken,
  audience: string,
  input: UseInput,
): Promise<void> {
  const { iss, wid, jti, iat, exp } = token.claims;
  const signingInput = signingInputOf(input.token, token);
  const requestId = ownName(caller, input.requestId);
  const use = { audience, iss, wid, jti, iat, digest: token.digest, signingInput, requestId };
  const { token: policy, replayTtlSeconds } = context.policy;
  // A rejected token already has its verdict, so an error of the replay guard does not matter.
  if (verdict.rejection === undefined) rejectForgotten(context, exp + policy.maxFutureSeconds);
  const keepUntil = Math.max(exp + policy.maxFutureSeconds, context.now() + replayTtlSeconds);
  // Uses are stored by the earliest plausible time, so that they outlive a jump of the clock.
  const earliest = context.earliest();
  const remembers = input.replay === 'record' && verdict.rejection === undefined;
  const claim = remembers
    ? await writeFor(
        context,
        { caller, use: 'replay', bytes: heldBytes(signingInput.length, requestId.length) },
        () => guard.claim(use, keepUntil, earliest),
        (answer) => answer === 'fresh',
      )
    : await guard.look(use, earliest);
  if (typeof claim !== 'string') {
    context.notices.equivocated(token.claims, 'guard');
    verdict.equivocation = { signingInput, firstSigningInput: claim.firstSigningInput };
  }
  recordStep(verdict, verdict.outcomes.length, rejectionOfUse(claim, namesOf({ wid, jti })));
}

/** One use of a proof that authenticates a caller. Times are seconds since the epoch. */
export interface ProofUse {
  readonly jti: string;
  readonly expires: number;
  /** The earliest time at which the proof can have been made. */
  readonly issuedAfter: number;
  /** SHA-256 of the signing input. */
  readonly digest: Uint8Array;
}

/** The scope of proofs among the uses of tokens: no `wid` has a control character. */
const PROOF_SCOPE = '\0proof';

/**
 * Stores the use of a proof in one atomic step. Throws CALLER_UNTRUSTED if it was used before, and the errors of the replay guard if the
 * use cannot be stored: then no call is accepted with a proof, because it may be a copy. The quota of the caller pays for the write.
 */
export async function claimProof(
  context: AuthorityContext,
  guard: ReplayGuard,
  caller: Caller,
  { jti, expires, issuedAfter, digest }: ProofUse,
): Promise<void> {
  const keepUntil = expires + context.policy.token.maxFutureSeconds;
  const scope = { audience: '', iss: callerName(caller), wid: PROOF_SCOPE, jti };
  const use = { ...scope, iat: issuedAfter, digest, signingInput: '', requestId: '' };
  const isFirst = (claim: Awaited<ReturnType<ReplayGuard['claim']>>) => claim === 'fresh';
  const write = { caller, use: 'proof', bytes: heldBytes(0) } as const;
  try {
    rejectForgotten(context, keepUntil);
    const claim = await writeFor(context, write, () => guard.claim(use, keepUntil, context.earliest()), isFirst);
    if (isFirst(claim)) return;
  } catch (error) {
    throw error instanceof EctError ? ofProof(error) : error;
  }
  throw new EctError(reject('CALLER_UNTRUSTED', 'The proof token is rejected: it was used before.'));
}

/** The remedy where the use of a proof cannot be stored: reading does not go on for this caller, as the remedies of the reasons say. */
const PROOF_REMEDY =
  'Retry after the given time with a new proof. A client certificate or a JWT proves the caller too, and nothing is stored for it. If it persists, the operator finds the cause in the log of the service.';

function ofProof(error: EctError): EctError {
  const { reason, message, rejection, cause } = error;
  if (reason === 'ONCE_CORRUPT') return error;
  const text = `The use of the proof token cannot be stored. ${message}`;
  return new EctError({ ...rejection, message: text, remedy: PROOF_REMEDY }, cause === undefined ? {} : { cause });
}

/**
 * If the clock was set back, tokens that had expired are unexpired again, but their uses have been deleted. It is unknown whether
 * tokens that expire before that time were used.
 */
function rejectForgotten(context: AuthorityContext, keptUntil: number): void {
  const forgotten = context.forgotten();
  if (keptUntil >= forgotten) return;
  const seconds = String(forgotten - keptUntil);
  const message = `The clock was set back: a token that expires in the next ${seconds} s may have been used already.`;
  throw new EctError(
    reject('CLOCK_UNTRUSTED', message, { difference_seconds: `-${seconds}`, retry_after_seconds: '5' }),
  );
}

/**
 * The shortest `request_id` of an anonymous caller: 128 bits in base64url. Anonymous callers share one scope, so ids must not be
 * guessable.
 */
const MIN_ANONYMOUS_ID_CHARACTERS = 22;

/** The rejection of an id that does not identify the caller. Checked before any work. */
export function guessableId(caller: Caller, { requestId }: Pick<UseInput, 'requestId'>): Rejection | undefined {
  if (caller.kind !== 'anonymous' || requestId === '' || requestId.length >= MIN_ANONYMOUS_ID_CHARACTERS) {
    return undefined;
  }
  const message =
    `request_id must have at least ${MIN_ANONYMOUS_ID_CHARACTERS} unguessable characters, a random UUID for ` +
    'example: callers without a certificate are distinguished by nothing else.';
  return reject('REQUEST_INVALID', message, { field: 'request_id' });
}

/** A caller can repeat only its own calls: with the id of another caller a call is a replay. Names of callers contain no space. */
function ownName(caller: Caller, requestId: string): string {
  return requestId === '' ? '' : `${callerName(caller)} ${requestId}`;
}

function rejectionOfUse(
  claim: Awaited<ReturnType<ReplayGuard['claim']>>,
  task: ReturnType<typeof namesOf>,
): Rejection | undefined {
  if (claim === 'fresh' || claim === 'repeated') return undefined;
  if (claim === 'replayed') return reject('TOKEN_REPLAYED', 'This audience has verified the token before.', task);
  return reject('TOKEN_EQUIVOCATED', 'This audience has verified another token for this task.', task);
}

function signingInputOf(text: string, { level }: VerifiedToken): string {
  return level === 'L1' ? text : text.slice(0, text.lastIndexOf('.'));
}
