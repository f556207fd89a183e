// Append: verify, demand that the graph is complete, record once, answer when the entry is durable.

import { setTimeout as pause } from 'node:timers/promises';
import { timeLeftMs } from '../concurrency/call-deadline.ts';
import { type LedgerFacts, ROOT_FACTS, rejectionOf } from '../dag/index.ts';
import { EctError, reject } from '../errors.ts';
import type { Candidate, LedgerRecord, AppendOutcome as Outcome, Receipt } from '../ledger/index.ts';
import type { TokenVerdict, VerifiedToken, VerifyOptions } from '../token/index.ts';
import { ancestryFor, verifyRecord } from './ancestry.ts';
import { policyInForce } from './authorizer.ts';
import type { Caller } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import { BEFORE_ANY_RECORD, isOf, isOfCompromisedKey } from './evidence.ts';
import { examineForLedger } from './graph.ts';
import { asCandidate, type RecordableToken } from './leaf.ts';
import { provenanceOf, type Writer } from './provenance.ts';
import { readToken } from './read-token.ts';
import { checkWriteQuota, writeFor } from './write-reservation.ts';
import { entryBytes, leastEntryBytes } from './write-sizes.ts';

/** Where a token is recorded. */
export interface Appended {
  readonly record: LedgerRecord;
  readonly receipt: Receipt;
  /** The same token was there already. */
  readonly duplicate: boolean;
}

/**
 * Records a token. Rejects with the reason of the first step that fails; the entry is durable when this answers. `policy`: the digest of
 * the one that allows it.
 */
export async function append(
  context: AuthorityContext,
  caller: Caller,
  text: string,
  signal: AbortSignal,
  policy = policyInForce(context),
): Promise<Appended> {
  const writer: Writer = { caller, action: 'AppendLedger', policy };
  demandEntry(context, caller, text);
  const verdict = await verifyForLedger(context, text);
  if (verdict.ok && verdict.token.claims.pred.length === 0) {
    // Of a root task there is nothing to examine but that its name is free, and the commit decides that in any case.
    return record(context, writer, text, verdict.token, signal, ROOT_FACTS);
  }
  const { token, namesake } = await findNamesake(context, text, verdict);
  // A retry returns the existing entry, even if the token has expired in the meantime, or its key is compromised.
  if (namesake !== undefined && isOf(namesake, token!)) return answerKnown(context, namesake);
  if (!verdict.ok) throw new EctError(verdict.rejection);
  const exists = namesake !== undefined;
  const report = await examineForLedger(context, verdict.token, ancestryFor(context, caller), exists, { signal });
  const rejection = rejectionOf(report, { complete: true });
  if (rejection?.reason === 'DAG_DUPLICATE_TASK') context.notices.equivocated(verdict.token.claims, 'ledger');
  if (rejection !== undefined) throw new EctError(rejection);
  return record(context, writer, text, verdict.token, signal, report.facts);
}

/** What is recorded under the name of a token, as far as the token can be trusted. */
export async function findNamesake(context: AuthorityContext, text: string, verdict: TokenVerdict) {
  const token = verdict.token ?? tokenOfCompromisedKey(context, text, verdict);
  return { token, namesake: token && (await context.ledger.find(token.claims.wid, token.claims.jti)) };
}

/** The token, where nothing is wrong with it but that its key is compromised by now: it may have been recorded before that was known. */
function tokenOfCompromisedKey(
  context: AuthorityContext,
  text: string,
  verdict: TokenVerdict,
): VerifiedToken | undefined {
  if (verdict.ok || !isOfCompromisedKey(verdict.rejection.reason)) return undefined;
  const assumed = verifyRecord(context, text, { recordedAt: BEFORE_ANY_RECORD });
  return 'reason' in assumed ? undefined : assumed;
}

/** Before anything is verified. A token that is too long is rejected for that, whatever is left of the quota. */
export function demandEntry(context: AuthorityContext, caller: Caller, text: string): void {
  const bytes = leastEntryBytes(Math.min(text.length, context.policy.token.maxTokenBytes));
  checkWriteQuota(context, { caller, use: 'ledger', bytes });
}

/** Of what is recorded already: the second as of which it is judged, and that of its entry. */
type JudgedTimes = Pick<VerifyOptions, 'asOf' | 'recordedAt'>;

/** What is recorded is signed: an unsigned object is rejected, whatever level verifiers may take. */
export function verifyForLedger(
  context: AuthorityContext,
  text: string,
  mode: 'enforce' | 'report' = 'enforce',
  times?: JudgedTimes,
): Promise<TokenVerdict> {
  const { ledgerAudience } = context.policy;
  const audience = ledgerAudience === '' ? undefined : ledgerAudience;
  const question = { now: context.now(), purpose: 'presented', audience, minimumLevel: 'L2', mode, ...times } as const;
  return readToken(context, text, question);
}

/** Returns with an entry that is there already. */
export async function answerKnown({ ledger }: AuthorityContext, known: LedgerRecord): Promise<Appended> {
  return { record: known, receipt: await ledger.receiptFor(known), duplicate: true };
}

const RETRY_PAUSES_MS = [50, 200];

/**
 * Records a verified token whose graph is complete. A ledger that does not answer is asked again, twice at most and
 * within the caller's time: appending is idempotent, so an attempt that did land is found as a duplicate. `metadata` are what
 * the examination of the graph found. What was there already costs the caller nothing.
 */
export async function record(
  context: AuthorityContext,
  writer: Writer,
  text: string,
  token: RecordableToken,
  signal: AbortSignal,
  facts?: LedgerFacts,
): Promise<Appended> {
  const candidate = asCandidate(text, token, context.policy.graph, facts, provenanceOf(writer));
  return write(context, writer.caller, candidate, entryBytes(text.length, token.claims), signal);
}

/** Records a candidate of so many bytes for a caller, who pays for what is added. */
export async function write(
  context: AuthorityContext,
  caller: Caller,
  candidate: Candidate,
  bytes: number,
  signal: AbortSignal,
): Promise<Appended> {
  const outcome = await writeFor(
    context,
    { caller, use: 'ledger', bytes },
    () => recordOnce(context, candidate, signal),
    (placement) => placement.outcome === 'added',
  );
  return asAppended(context, candidate, outcome);
}

/** What became of a candidate. DAG_DUPLICATE_TASK where another token is recorded in its place. */
function asAppended({ notices }: AuthorityContext, candidate: Candidate, { outcome, record, receipt }: Outcome) {
  if (outcome !== 'conflict') return { record, receipt, duplicate: outcome === 'present' };
  const { scope: wid, name: jti, author: iss } = candidate;
  notices.equivocated({ iss, wid, jti }, 'ledger');
  throw new EctError(reject('DAG_DUPLICATE_TASK', `Another token is recorded under task ${jti}.`, { jti }));
}

/**
 * Hands a candidate to the ledger until it answers, or until there is no use in asking again: where the call has no time left, or
 * the rejection itself says when to come back.
 */
export async function recordOnce(
  context: AuthorityContext,
  candidate: Candidate,
  signal: AbortSignal,
): Promise<Outcome> {
  for (let attempt = 0; ; attempt++) {
    try {
      // No entry names a policy that is not kept: where this fails the entry could not be written either.
      const unkept = context.policies?.kept();
      if (unkept !== undefined) await unkept;
      return await context.ledger.append(candidate, signal);
    } catch (error) {
      const wait = RETRY_PAUSES_MS[attempt];
      const worthRetrying = error instanceof EctError && error.reason === 'LEDGER_UNAVAILABLE';
      if (!worthRetrying || wait === undefined || signal.aborted || wait >= timeLeftMs()) throw error;
      if (error.metadata['retry_after_seconds'] !== undefined) throw error;
      await pause(wait);
    }
  }
}
