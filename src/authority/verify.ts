// Verify: the steps on the token itself, then the graph, then replay. A bad token is an answer, not an error.

import { refusalOf } from '../dag/index.ts';
import { EctError, type Refusal, refuse, refuseAll } from '../errors.ts';
import type { Until } from '../keys/index.ts';
import type { LedgerRecord } from '../ledger/index.ts';
import { type Level, type Question, requiredLevel, type VerifiedToken } from '../token/index.ts';
import { ancestryWith, mayFollow } from './ancestry.ts';
import type { Caller } from './caller.ts';
import { isRecordOf, readAsRecorded } from './evidence.ts';
import { examineGraph, type GraphSubject } from './graph.ts';
import type { AuthorityParts } from './parts.ts';
import { readToken } from './read-token.ts';
import { guessableId, judgeUse } from './use.ts';
import { closeVerdict, LEVEL_STEP, type OpenVerdict, openVerdict, settleStep, type Verdict } from './verdict.ts';
import { demandRoom } from './write-room.ts';
import { heldBytes } from './write-sizes.ts';

/** What a verifier wants to know. */
export interface VerifyOrder {
  readonly token: string;
  /** Who verifies. Empty: the caller itself. */
  readonly audience: string;
  readonly predecessors: readonly string[];
  readonly dag: 'none' | 'partial' | 'complete';
  /** `observe`: checked, but not remembered. */
  readonly replay: 'record' | 'observe' | 'skip';
  readonly requestId: string;
  /** Undefined: what the policy asks for. It is never less than that. */
  readonly minimumLevel: Level | undefined;
  /** `report`: goes on after a failure, as far as that is possible. */
  readonly mode: 'enforce' | 'report';
  /** Evidence: judge as of this second of the past, without replay. Undefined: now. */
  readonly asOf: number | undefined;
  readonly inputHash: string | undefined;
  readonly outputHash: string | undefined;
  /** The octets themselves. */
  readonly input: Uint8Array | undefined;
  readonly output: Uint8Array | undefined;
}

/** Verifies one token for one caller: the steps on the token itself, the graph, and last the replay guard. */
export async function verify(
  parts: AuthorityParts,
  caller: Caller,
  order: VerifyOrder,
  until: Until,
): Promise<Verdict> {
  const question = questionOf(parts, caller, order);
  demandReplayRoom(parts, caller, order);
  const read = await readToken(parts, order.token, question);
  const verdict = openVerdict(
    order.asOf === undefined ? read : await readAsRecorded(parts, order.token, question, read),
  );
  const { token } = verdict;
  if (token === undefined || isOver(verdict, order)) return close(parts, verdict, undefined);

  const minimum = minimumFor(parts, token, order);
  const isWanted = minimum === 'L3' || order.dag !== 'none';
  const namesake = isWanted ? await parts.ledger.find(token.claims.wid, token.claims.jti) : undefined;
  const level = namesake !== undefined && isRecordOf(namesake, token, order.asOf) ? 'L3' : token.level;
  if (level < minimum) settleStep(verdict, LEVEL_STEP, tooLow(level, minimum));
  if (isOver(verdict, order)) return close(parts, verdict, level);

  if (order.dag === 'none') verdict.outcomes.push('SKIPPED');
  else
    settleStep(
      verdict,
      verdict.outcomes.length,
      await judgeGraph(parts, caller, verdict, { ...subjectOf(token, namesake), asOf: order.asOf }, order, until),
    );
  if (isOver(verdict, order)) return close(parts, verdict, level);

  // Last, so that a token that fails anywhere above never uses up its one use.
  const guard = order.replay === 'skip' || order.asOf !== undefined ? undefined : parts.replay;
  if (guard === undefined) verdict.outcomes.push('SKIPPED');
  else await judgeUse(parts, guard, caller, verdict, token, question.audience, order);
  return close(parts, verdict, level);
}

/** What is asked of the token itself. Throws EctError for everything that is wrong with an order of this caller. */
function questionOf(parts: AuthorityParts, caller: Caller, order: VerifyOrder): AskedBySomebody {
  const audience = audienceOf(caller, order);
  const now = parts.now();
  const [fault, ...others] = isPlain(order, audience) ? [] : faultsAt(now, caller, order);
  if (fault !== undefined) throw new EctError(refuseAll([fault, ...others], ({ facts }) => facts['field'] ?? ''));
  return { ...order, audience: audience ?? '', now, reading: 'presented' };
}

/** Before any signature is checked. The size is that of a token without a signature, or a little more. */
function demandReplayRoom(parts: AuthorityParts, caller: Caller, order: VerifyOrder): void {
  if (order.replay !== 'record' || order.asOf !== undefined || parts.replay === undefined) return;
  const bytes = heldBytes(Math.min(order.token.length, parts.policy.token.maxTokenBytes), order.requestId.length);
  demandRoom(parts, { caller, use: 'replay', bytes });
}

/** A question of a verifier that has said who it is. */
type AskedBySomebody = Question & { readonly audience: string };

function minimumFor(parts: AuthorityParts, { claims }: VerifiedToken, order: VerifyOrder): Level {
  return requiredLevel(parts.policy.token, order.minimumLevel, claims.exec_act);
}

/** A report goes on after a failure. */
function isOver(verdict: Verdict, { mode }: VerifyOrder): boolean {
  return verdict.refusal !== undefined && mode === 'enforce';
}

function close({ notices }: AuthorityParts, verdict: OpenVerdict, level: Level | undefined): Verdict {
  const { refusal } = verdict;
  if (refusal?.reason === 'LEVEL_TOO_LOW') notices.levelRefused(refusal.facts['minimum'] ?? '');
  return closeVerdict(verdict, level);
}

/** Who verifies, where it is said or proven. */
function audienceOf(caller: Caller, order: VerifyOrder): string | undefined {
  if (order.audience !== '') return order.audience;
  return caller.kind === 'anonymous' ? undefined : caller.id;
}

/** Whether there is nothing that could be wrong with an order. */
function isPlain({ asOf, requestId }: VerifyOrder, audience: string | undefined): boolean {
  return audience !== undefined && asOf === undefined && requestId === '';
}

/** Everything that is wrong with an order of this caller. */
export function verifyFaults(parts: AuthorityParts, caller: Caller, order: VerifyOrder): readonly Refusal[] {
  return faultsAt(parts.now(), caller, order);
}

function faultsAt(now: number, caller: Caller, order: VerifyOrder): readonly Refusal[] {
  const { asOf } = order;
  return [
    // A verifier that does not say who it is would accept tokens that are meant for others.
    audienceOf(caller, order) === undefined
      ? refuse('REQUEST_INVALID', 'audience is required: say who is verifying, as one of the parties in aud.', {
          field: 'audience',
        })
      : undefined,
    asOf !== undefined && asOf > now
      ? refuse('REQUEST_INVALID', 'as_of must not be in the future.', { field: 'as_of' })
      : undefined,
    guessableId(caller, order),
  ].filter((refusal) => refusal !== undefined);
}

function tooLow(level: Level, minimum: Level): Refusal {
  const why = level === 'L1' ? 'unsigned (L1)' : 'not recorded (L2)';
  return refuse('LEVEL_TOO_LOW', `The token is ${why}, and must be ${minimum} at least.`, { minimum });
}

function subjectOf({ claims, kid, digest }: VerifiedToken, namesake: LedgerRecord | undefined): GraphSubject {
  return { claims, kid, digest, namesake };
}

async function judgeGraph(
  parts: AuthorityParts,
  caller: Caller,
  verdict: OpenVerdict,
  subject: GraphSubject,
  { predecessors, dag, asOf }: VerifyOrder,
  until: Until,
): Promise<Refusal | undefined> {
  const ancestry = await ancestryWith(parts, predecessors, until, { asOf, mayFollow: mayFollow(parts, caller) });
  if ('reason' in ancestry) return ancestry;
  verdict.dag = await examineGraph(parts, subject, ancestry, { extent: 'links', until });
  return refusalOf(verdict.dag, { complete: dag === 'complete' });
}
