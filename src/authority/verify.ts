// Verify: the steps on the token itself, then the graph, then replay. An invalid token is a verdict, not an error.

import { rejectionOf } from '../dag/index.ts';
import { EctError, type Rejection, reject, rejectAll } from '../errors.ts';
import type { CallDeadline } from '../keys/index.ts';
import type { LedgerRecord } from '../ledger/index.ts';
import { type Level, requiredLevel, type VerifiedToken, type VerifyOptions } from '../token/index.ts';
import { ancestryWith, mayFollow } from './ancestry.ts';
import type { Caller } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import { isRecordOf, readAsRecorded } from './evidence.ts';
import { examineGraph, type GraphSubject } from './graph.ts';
import { readToken } from './read-token.ts';
import { guessableId, judgeUse } from './use.ts';
import { closeVerdict, LEVEL_STEP, type OpenVerdict, openVerdict, recordStep, type Verdict } from './verdict.ts';
import { checkWriteQuota } from './write-reservation.ts';
import { heldBytes } from './write-sizes.ts';

/** The options of a verifier. */
export interface VerifyInput {
  readonly token: string;
  /** The audience of the verifier. Empty: the caller itself. */
  readonly audience: string;
  readonly predecessors: readonly string[];
  readonly dag: 'none' | 'partial' | 'complete';
  /** `observe`: checked, but not stored. */
  readonly replay: 'record' | 'observe' | 'skip';
  readonly requestId: string;
  /** Undefined: what the policy requires, which is always the minimum. */
  readonly minimumLevel: Level | undefined;
  /** `report`: continues after a failure, as far as possible. */
  readonly mode: 'enforce' | 'report';
  /** Evidence: verify as of this second of the past, without replay. Undefined: now. */
  readonly asOf: number | undefined;
  readonly inputHash: string | undefined;
  readonly outputHash: string | undefined;
  /** The bytes themselves. */
  readonly input: Uint8Array | undefined;
  readonly output: Uint8Array | undefined;
}

/** Verifies one token for one caller: the token itself, the graph, and the replay guard. */
export async function verify(
  context: AuthorityContext,
  caller: Caller,
  input: VerifyInput,
  deadline: CallDeadline,
): Promise<Verdict> {
  const question = questionOf(context, caller, input);
  demandReplayRoom(context, caller, input);
  const read = await readToken(context, input.token, question);
  const verdict = openVerdict(
    input.asOf === undefined ? read : await readAsRecorded(context, input.token, question, read),
  );
  const { token } = verdict;
  if (token === undefined || isOver(verdict, input)) return close(context, verdict, undefined);

  const minimum = minimumFor(context, token, input);
  const isWanted = minimum === 'L3' || input.dag !== 'none';
  const namesake = isWanted ? await context.ledger.find(token.claims.wid, token.claims.jti) : undefined;
  const level = namesake !== undefined && isRecordOf(namesake, token, input.asOf) ? 'L3' : token.level;
  if (level < minimum) recordStep(verdict, LEVEL_STEP, tooLow(level, minimum));
  if (isOver(verdict, input)) return close(context, verdict, level);

  if (input.dag === 'none') verdict.outcomes.push('SKIPPED');
  else
    recordStep(
      verdict,
      verdict.outcomes.length,
      await judgeGraph(context, caller, verdict, { ...subjectOf(token, namesake), asOf: input.asOf }, input, deadline),
    );
  if (isOver(verdict, input)) return close(context, verdict, level);

  // Last, so that a token that fails an earlier step is not used up.
  const guard = input.replay === 'skip' || input.asOf !== undefined ? undefined : context.replay;
  if (guard === undefined) verdict.outcomes.push('SKIPPED');
  else await judgeUse(context, guard, caller, verdict, token, question.audience, input);
  return close(context, verdict, level);
}

/** The options for the token itself. Throws EctError for every fault in the request of this caller. */
function questionOf(context: AuthorityContext, caller: Caller, input: VerifyInput): AskedBySomebody {
  const audience = audienceOf(caller, input);
  const now = context.now();
  const [fault, ...others] = isPlain(input, audience) ? [] : faultsAt(now, caller, input);
  if (fault !== undefined)
    throw new EctError(rejectAll([fault, ...others], ({ metadata: facts }) => facts['field'] ?? ''));
  return { ...input, audience: audience ?? '', now, purpose: 'presented' };
}

/** Checked before any signature. The size is at least that of the token without its signature. */
function demandReplayRoom(context: AuthorityContext, caller: Caller, input: VerifyInput): void {
  if (input.replay !== 'record' || input.asOf !== undefined || context.replay === undefined) return;
  const bytes = heldBytes(
    Math.min(Buffer.byteLength(input.token), context.policy.token.maxTokenBytes),
    input.requestId.length,
  );
  checkWriteQuota(context, { caller, use: 'replay', bytes });
}

/** A request whose audience is known. */
type AskedBySomebody = VerifyOptions & { readonly audience: string };

function minimumFor(context: AuthorityContext, { claims }: VerifiedToken, input: VerifyInput): Level {
  return requiredLevel(context.policy.token, input.minimumLevel, claims.exec_act);
}

/** Whether a report was requested, which continues after a failure. */
function isOver(verdict: Verdict, { mode }: VerifyInput): boolean {
  return verdict.rejection !== undefined && mode === 'enforce';
}

function close({ notices }: AuthorityContext, verdict: OpenVerdict, level: Level | undefined): Verdict {
  const { rejection } = verdict;
  if (rejection?.reason === 'LEVEL_TOO_LOW') notices.levelRejected(rejection.metadata['minimum'] ?? '');
  return closeVerdict(verdict, level);
}

/** The audience, if it is given or the caller is authenticated. */
function audienceOf(caller: Caller, input: VerifyInput): string | undefined {
  if (input.audience !== '') return input.audience;
  return caller.kind === 'anonymous' ? undefined : caller.id;
}

/** Whether the request cannot have faults. */
function isPlain({ asOf, requestId }: VerifyInput, audience: string | undefined): boolean {
  return audience !== undefined && asOf === undefined && requestId === '';
}

/** Every fault in the request of this caller. */
export function verifyFaults(context: AuthorityContext, caller: Caller, input: VerifyInput): readonly Rejection[] {
  return faultsAt(context.now(), caller, input);
}

function faultsAt(now: number, caller: Caller, input: VerifyInput): readonly Rejection[] {
  const { asOf } = input;
  return [
    // A verifier without an audience would accept tokens for others.
    audienceOf(caller, input) === undefined
      ? reject('REQUEST_INVALID', 'audience is required: it names the verifier, one of the parties in aud.', {
          field: 'audience',
        })
      : undefined,
    asOf !== undefined && asOf > now
      ? reject('REQUEST_INVALID', 'as_of must not be in the future.', { field: 'as_of' })
      : undefined,
    guessableId(caller, input),
  ].filter((rejection) => rejection !== undefined);
}

function tooLow(level: Level, minimum: Level): Rejection {
  const why = level === 'L1' ? 'unsigned (L1)' : 'not recorded (L2)';
  return reject('LEVEL_TOO_LOW', `The token is ${why}, and must be ${minimum} at least.`, { minimum });
}

function subjectOf({ claims, kid, digest }: VerifiedToken, namesake: LedgerRecord | undefined): GraphSubject {
  return { claims, kid, digest, namesake };
}

async function judgeGraph(
  context: AuthorityContext,
  caller: Caller,
  verdict: OpenVerdict,
  subject: GraphSubject,
  { predecessors, dag, asOf }: VerifyInput,
  deadline: CallDeadline,
): Promise<Rejection | undefined> {
  const ancestry = await ancestryWith(context, predecessors, deadline, { asOf, mayFollow: mayFollow(context, caller) });
  if ('reason' in ancestry) return ancestry;
  verdict.dag = await examineGraph(context, subject, ancestry, { extent: 'links', deadline });
  return rejectionOf(verdict.dag, { complete: dag === 'complete' });
}
