// MarkCompromised: a statement of an administrator, recorded before it takes effect.

import type { Appended } from './append.ts';
import { recordOnce } from './append.ts';
import { type Caller, callerName } from './caller.ts';
import { asMarkCandidate, type MarkSubject } from './marks.ts';
import type { AuthorityParts } from './parts.ts';

/**
 * Marks a task or a key as compromised. From the commit on every look at a graph shows it and all that came after it as
 * tainted. What was marked before stays as it was stated first, and is answered as a duplicate. The caller's right to do
 * so was checked before.
 */
export async function markCompromised(
  parts: AuthorityParts,
  caller: Caller,
  { subject, note }: { readonly subject: MarkSubject; readonly note: string },
  signal: AbortSignal,
): Promise<Appended> {
  const outcome = await recordOnce(parts, asMarkCandidate({ subject, note, by: callerName(caller) }), signal);
  const { record } = outcome;
  const receipt = outcome.receipt ?? (await parts.ledger.receiptFor(record));
  return { record, receipt, duplicate: outcome.outcome !== 'added' };
}
