// Stores a pending recording before its token is returned.

import type { LedgerFacts } from '../dag/index.ts';
import { callerName } from './caller.ts';
import type { AuthorityContext } from './context.ts';
import { asCandidate, type RecordableToken } from './leaf.ts';
import { provenanceOf, type Writer } from './provenance.ts';
import { leavesNothing, reserveWrite } from './write-reservation.ts';
import { entryBytes } from './write-sizes.ts';

/** Adds a pending recording of the token. It costs a caller as much as an append. */
export async function addPending(
  context: AuthorityContext,
  writer: Writer,
  text: string,
  token: RecordableToken,
  facts: LedgerFacts | undefined,
): Promise<void> {
  const { caller } = writer;
  const { claims, digest } = token;
  const provenance = provenanceOf(writer);
  const { wid, jti, iss } = claims;
  const requested = { caller: callerName(caller), requestedAt: context.now(), provenance };
  const recording = { wid, jti, iss, digest, token: text, ...requested };
  const candidate = asCandidate(text, token, context.policy.graph, facts, provenance);
  const bytes = entryBytes(text.length, claims);
  const refund = reserveWrite(context, { caller, use: 'ledger', bytes });
  try {
    await context.recordings.add(recording, candidate, refund);
  } catch (error) {
    if (leavesNothing(error)) refund();
    throw error;
  }
}
