// AppendLedger: verifies the token, requires a complete graph, records it once, and returns when the entry is durable.

import { setTimeout as pause } from 'node:timers/promises';
import { timeLeftMs } from '../concurrency/call-deadline.ts';
import { type LedgerFacts, namesOf, ROOT_FACTS, rejectionOf } from '../dag/index.ts';
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
  /** Whether the same token was recorded before. */
  readonly duplicate: boolean;
}

/**
 * Records a token. Rejects with the reason of the first failed step; the entry is durable when this returns. `policy`: the digest of the
 * policy that permits it.
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
    // For a root task only the name must be free, which the commit checks.
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

/** The entry under the name of a token, as far as the token can be trusted. */
export async function findNamesake(context: AuthorityContext, text: string, verdict: TokenVerdict) {
  const token = verdict.token ?? tokenOfCompromisedKey(context, text, verdict);
  return { token, namesake: token && (await context.ledger.find(token.claims.wid, token.claims.jti)) };
}

/** The token, if its only fault is that its key is now compromised: it may have been recorded before. */
function tokenOfCompromisedKey(
  context: AuthorityContext,
  text: string,
  verdict: TokenVerdict,
): VerifiedToken | undefined {
  if (verdict.ok || !isOfCompromisedKey(verdict.rejection.reason)) return undefined;
  const assumed = verifyRecord(context, text, { recordedAt: BEFORE_ANY_RECORD });
  return 'reason' in assumed ? undefined : assumed;
}

/** Checked before anything is verified. A token that is too long is rejected for its length, even if the quota is used up. */
export function demandEntry(context: AuthorityContext, caller: Caller, text: string): void {
  const bytes = leastEntryBytes(Math.min(text.length, context.policy.token.maxTokenBytes));
  checkWriteQuota(context, { caller, use: 'ledger', bytes });
}

/** Of an existing entry: the second as of which the token is verified, and the time of the entry. */
type JudgedTimes = Pick<VerifyOptions, 'asOf' | 'recordedAt'>;

/** Entries need signed tokens: an unsigned object is rejected, even if verifiers accept L1. */
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

/** Returns an existing entry. */
export async function answerKnown({ ledger }: AuthorityContext, known: LedgerRecord): Promise<Appended> {
  return { record: known, receipt: await ledger.receiptFor(known), duplicate: true };
}

const RETRY_PAUSES_MS = [50, 200];

/**
 * Records a verified token with a complete graph. If the ledger does not respond, the append is repeated at most twice within the
 * deadline: it is idempotent, so an attempt that succeeded is found as a duplicate. `facts` are the results of the graph examination.
 * An existing entry costs no quota.
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

/** Appends a candidate of `bytes` for a caller, whose quota pays if it is added. */
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

/** The result for a candidate. DAG_DUPLICATE_TASK if another token is recorded under its name. */
function asAppended({ notices }: AuthorityContext, candidate: Candidate, { outcome, record, receipt }: Outcome) {
  if (outcome !== 'conflict') return { record, receipt, duplicate: outcome === 'present' };
  const { scope: wid, name: jti, author: iss } = candidate;
  notices.equivocated({ iss, wid, jti }, 'ledger');
  throw new EctError(
    reject('DAG_DUPLICATE_TASK', `Another token is recorded under task ${jti}.`, namesOf({ wid, jti })),
  );
}

/** Repeats the append until the ledger responds, the deadline has passed, or the rejection says when to retry. */
export async function recordOnce(
  context: AuthorityContext,
  candidate: Candidate,
  signal: AbortSignal,
): Promise<Outcome> {
  for (let attempt = 0; ; attempt++) {
    try {
      // The policy that an entry names is stored before the entry: if that fails, the entry could not be written either.
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
