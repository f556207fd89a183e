// Append: verify, demand that the graph is complete, record once, answer when the entry is durable.

import { setTimeout as pause } from 'node:timers/promises';
import { timeLeftMs } from '../call-deadline.ts';
import { type LedgerFacts, ROOT_FACTS, refusalOf } from '../dag/index.ts';
import { EctError, refuse } from '../errors.ts';
import type { Candidate, LedgerRecord, Appended as Outcome, Receipt } from '../ledger/index.ts';
import type { Question, TokenVerdict, VerifiedToken } from '../token/index.ts';
import { ancestryFor, verifyRecord } from './ancestry.ts';
import type { Caller } from './caller.ts';
import { BEFORE_ANY_RECORD, isOf, isOfCompromisedKey } from './evidence.ts';
import { examineForLedger } from './graph.ts';
import { asCandidate, type RecordableToken } from './leaf.ts';
import type { AuthorityParts } from './parts.ts';
import { readToken } from './read-token.ts';
import { demandRoom, writeFor } from './write-room.ts';
import { entryBytes, leastEntryBytes } from './write-sizes.ts';

/** Where a token is recorded. */
export interface Appended {
  readonly record: LedgerRecord;
  readonly receipt: Receipt;
  /** The same token was there already. */
  readonly duplicate: boolean;
}

/** Records a token. Refuses with the reason of the first step that fails; the entry is durable when this answers. */
export async function append(
  parts: AuthorityParts,
  caller: Caller,
  text: string,
  signal: AbortSignal,
): Promise<Appended> {
  demandEntry(parts, caller, text);
  const verdict = await verifyForLedger(parts, text);
  if (verdict.ok && verdict.token.claims.pred.length === 0) {
    // Of a root task there is nothing to examine but that its name is free, and the commit decides that in any case.
    return record(parts, caller, text, verdict.token, signal, ROOT_FACTS);
  }
  const { token, namesake } = await findNamesake(parts, text, verdict);
  // An honest retry is answered with the entry that is there, even when the token has expired in the meantime, or its key is compromised.
  if (namesake !== undefined && isOf(namesake, token!)) return answerKnown(parts, namesake);
  if (!verdict.ok) throw new EctError(verdict.refusal);
  const exists = namesake !== undefined;
  const report = await examineForLedger(parts, verdict.token, ancestryFor(parts, caller), exists, { signal });
  const refusal = refusalOf(report, { complete: true });
  if (refusal?.reason === 'DAG_DUPLICATE_TASK') parts.notices.equivocated(verdict.token.claims, 'ledger');
  if (refusal !== undefined) throw new EctError(refusal);
  return record(parts, caller, text, verdict.token, signal, report.facts);
}

/** What is recorded under the name of a token, as far as the token can be believed. */
export async function findNamesake(parts: AuthorityParts, text: string, verdict: TokenVerdict) {
  const token = verdict.token ?? tokenOfCompromisedKey(parts, text, verdict);
  return { token, namesake: token && (await parts.ledger.find(token.claims.wid, token.claims.jti)) };
}

/** The token, where nothing is wrong with it but that its key is compromised by now: it may have been recorded before that was known. */
function tokenOfCompromisedKey(parts: AuthorityParts, text: string, verdict: TokenVerdict): VerifiedToken | undefined {
  if (verdict.ok || !isOfCompromisedKey(verdict.refusal.reason)) return undefined;
  const assumed = verifyRecord(parts, text, { recordedAt: BEFORE_ANY_RECORD });
  return 'reason' in assumed ? undefined : assumed;
}

/** Before anything is verified. A token that is too long is refused for that, whatever is left of the quota. */
export function demandEntry(parts: AuthorityParts, caller: Caller, text: string): void {
  const bytes = leastEntryBytes(Math.min(text.length, parts.policy.token.maxTokenBytes));
  demandRoom(parts, { caller, use: 'ledger', bytes });
}

/** Of what is recorded already: the second as of which it is judged, and that of its entry. */
type JudgedTimes = Pick<Question, 'asOf' | 'recordedAt'>;

/** What is recorded is signed: an unsigned object is refused, whatever level verifiers may take. */
export function verifyForLedger(
  parts: AuthorityParts,
  text: string,
  mode: 'enforce' | 'report' = 'enforce',
  times?: JudgedTimes,
): Promise<TokenVerdict> {
  const { ledgerAudience } = parts.policy;
  const audience = ledgerAudience === '' ? undefined : ledgerAudience;
  const question = { now: parts.now(), reading: 'presented', audience, minimumLevel: 'L2', mode, ...times } as const;
  return readToken(parts, text, question);
}

/** Answers with an entry that is there already. */
export async function answerKnown({ ledger }: AuthorityParts, known: LedgerRecord): Promise<Appended> {
  return { record: known, receipt: await ledger.receiptFor(known), duplicate: true };
}

const RETRY_PAUSES_MS = [50, 200];

/**
 * Records a verified token whose graph is complete. A ledger that does not answer is asked again, twice at most and
 * within the caller's time: appending is idempotent, so an attempt that did land is found as a duplicate. `facts` are what
 * the examination of the graph found. What was there already costs the caller nothing.
 */
export async function record(
  parts: AuthorityParts,
  caller: Caller,
  text: string,
  token: RecordableToken,
  signal: AbortSignal,
  facts?: LedgerFacts,
): Promise<Appended> {
  const candidate = asCandidate(text, token, parts.policy.graph, facts);
  return write(parts, caller, candidate, entryBytes(text.length, token.claims), signal);
}

/** Records a candidate of so many bytes for a caller, who pays for what is added. */
export async function write(
  parts: AuthorityParts,
  caller: Caller,
  candidate: Candidate,
  bytes: number,
  signal: AbortSignal,
): Promise<Appended> {
  const outcome = await writeFor(
    parts,
    { caller, use: 'ledger', bytes },
    () => recordOnce(parts, candidate, signal),
    (placement) => placement.outcome === 'added',
  );
  return asAppended(parts, candidate, outcome);
}

/** What became of a candidate. DAG_DUPLICATE_TASK where another token is recorded in its place. */
function asAppended({ notices }: AuthorityParts, candidate: Candidate, { outcome, record, receipt }: Outcome) {
  if (outcome !== 'conflict') return { record, receipt, duplicate: outcome === 'present' };
  const { scope: wid, name: jti, author: iss } = candidate;
  notices.equivocated({ iss, wid, jti }, 'ledger');
  throw new EctError(refuse('DAG_DUPLICATE_TASK', `Another token is recorded under task ${jti}.`, { jti }));
}

/**
 * Hands a candidate to the ledger until it answers, or until there is no use in asking again: where the call has no time left, or
 * the refusal itself says when to come back.
 */
export async function recordOnce(parts: AuthorityParts, candidate: Candidate, signal: AbortSignal): Promise<Outcome> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await parts.ledger.append(candidate, signal);
    } catch (error) {
      const wait = RETRY_PAUSES_MS[attempt];
      const worthRetrying = error instanceof EctError && error.reason === 'LEDGER_UNAVAILABLE';
      if (!worthRetrying || wait === undefined || signal.aborted || wait >= timeLeftMs()) throw error;
      if (error.facts['retry_after_seconds'] !== undefined) throw error;
      await pause(wait);
    }
  }
}
