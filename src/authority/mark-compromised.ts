// MarkCompromised and RevokeKey: a statement of an administrator, recorded before it takes effect. For a key both record a mark with a
// time, by which verdicts and graphs judge; a key of this service is revoked too.

import { keyMark } from '../dag/index.ts';
import { EctError } from '../errors.ts';
import type { Appended } from './append.ts';
import { recordOnce } from './append.ts';
import { policyInForce } from './authorizer.ts';
import { type Caller, callerName } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import { readLeaf } from './leaf.ts';
import { ledgerMarks } from './mark-book.ts';
import { asMarkCandidate, type MarkSubject, sinceMsOf } from './marks.ts';
import { provenanceOf, type Writer } from './provenance.ts';

/** The subject of a request. A key without a time is compromised as of now. */
export type CompromisedSubject =
  | Extract<MarkSubject, { readonly kind: 'task' }>
  | { readonly kind: 'key'; readonly kid: string; readonly sinceMs?: number | undefined };

interface Statement {
  readonly subject: CompromisedSubject;
  readonly note: string;
}

/**
 * Marks a task or a key as compromised. After the commit every graph shows it and its descendants as tainted, and no token under the key
 * is accepted; a key of this service no longer signs. Earlier statements stay: the same statement again, or a later time for a key, is a
 * duplicate; an earlier time is one more mark. The permission of the caller was checked before; `policy` is the digest of the policy that
 * gave it.
 */
export async function markCompromised(
  context: AuthorityContext,
  caller: Caller,
  { subject, note }: Statement,
  signal: AbortSignal,
  policy = policyInForce(context),
): Promise<Appended> {
  const writer: Writer = { caller, action: 'MarkCompromised', policy };
  if (subject.kind === 'task') return recordMark(context, { subject, note, by: callerName(caller) }, writer, signal);
  const { marked } = await compromiseKey(context, writer, { ...subject, note }, signal);
  return marked;
}

/**
 * Whether the ledger has the task, or the key ring or the ledger has a key with this id. Undefined: the search failed. It follows the
 * mark, and the mark is durable, so a failed search does not fail the call.
 */
export async function isKnownSubject(
  { keys, ledger }: AuthorityContext,
  subject: CompromisedSubject,
): Promise<boolean | undefined> {
  try {
    if (subject.kind === 'key') return await keys.findPastKey(subject.kid);
    return (await ledger.find(subject.wid, subject.jti)) !== undefined;
  } catch (error) {
    if (error instanceof EctError) return undefined;
    throw error;
  }
}

/** Marks a key as compromised. `isEnded`: this call revoked a key of this service. */
export async function compromiseKey(
  context: AuthorityContext,
  writer: Writer,
  { kid, sinceMs, note }: { readonly kid: string; readonly sinceMs?: number | undefined; readonly note: string },
  signal: AbortSignal,
): Promise<{ readonly marked: Appended; readonly isEnded: boolean }> {
  const by = callerName(writer.caller);
  const marked = await markKey(context, { kid, sinceMs: sinceOf(context, sinceMs), note, by }, writer, signal);
  // The mark comes first, because verdicts and graphs use it. A repeated call completes a revocation that was interrupted, as of the same
  // time.
  const leaf = readLeaf(marked.record);
  const since = leaf.type === 'taint' ? sinceMsOf(leaf) : 0;
  // If the mark existed, nothing was written, and no policy was stored, for this call.
  await context.policies?.kept();
  const isEnded =
    (await context.ownKeys?.revokeOwn({ kid, by, note, provenance: provenanceOf(writer) }, since)) === true;
  return { marked, isEnded };
}

/** Whole seconds, so that all comparisons use the same time; never in the future. */
function sinceOf({ now }: AuthorityContext, sinceMs: number | undefined): number {
  const nowMs = now() * 1000;
  return Math.min(sinceMs === undefined ? nowMs : Math.floor(sinceMs / 1000) * 1000, nowMs);
}

interface KeyStatement {
  readonly kid: string;
  readonly sinceMs: number;
  readonly note: string;
  readonly by: string;
}

async function markKey(
  context: AuthorityContext,
  { kid, sinceMs, note, by }: KeyStatement,
  writer: Writer,
  signal: AbortSignal,
): Promise<Appended> {
  const known = (await currentMarks(context))?.markOf(keyMark(kid));
  const record = known && (known.since ?? 0) * 1000 <= sinceMs ? await context.ledger.at(known.entry) : undefined;
  // A certified key may be covered by the mark of its root key, and then needs no mark of its own.
  if (record !== undefined) return { record, receipt: await context.ledger.receiptFor(record), duplicate: true };
  const marked = await recordMark(context, { subject: { kind: 'key', kid, sinceMs }, note, by }, writer, signal);
  // Takes effect in this process before the response, even if an earlier mark cannot be read.
  context.keys.compromise(kid, sinceMs / 1000);
  await currentMarks(context);
  return marked;
}

/** A damaged mark does not prevent another one: a revocation must not wait for a repair. */
async function currentMarks(context: AuthorityContext) {
  try {
    return await ledgerMarks(context).current();
  } catch (error) {
    if (error instanceof EctError) return undefined;
    throw error;
  }
}

async function recordMark(
  context: AuthorityContext,
  statement: Parameters<typeof asMarkCandidate>[0],
  writer: Writer,
  signal: AbortSignal,
): Promise<Appended> {
  const outcome = await recordOnce(context, asMarkCandidate(statement, provenanceOf(writer)), signal);
  const { record } = outcome;
  const receipt = outcome.receipt ?? (await context.ledger.receiptFor(record));
  return { record, receipt, duplicate: outcome.outcome !== 'added' };
}
