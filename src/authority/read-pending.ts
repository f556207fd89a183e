// A pending recording of another process, or of an earlier run of this one, is not trusted: its token is verified once
// more, and its graph examined, since the ledger may have been restored meanwhile.

import { rejectionOf } from '../dag/index.ts';
import { type Rejection, reject } from '../errors.ts';
import type { Candidate } from '../ledger/index.ts';
import type { VerifiedToken } from '../token/index.ts';
import { ledgerAncestry } from './ancestry.ts';
import type { AuthorityContext } from './context.ts';
import { isOf } from './evidence.ts';
import { examineForLedger } from './graph.ts';
import { asCandidate } from './leaf.ts';
import type { PendingRecording } from './pending-recordings.ts';
import { readProvenance } from './provenance.ts';
import { readToken } from './read-token.ts';

/** No caller waits for it. */
const ENDLESS = { signal: new AbortController().signal };

/**
 * Verifies a pending recording: the candidate for the ledger, or the rejection. The token may have expired since, and its key may have
 * been retired or revoked: it is verified as of the time of the pending recording.
 */
export async function readPending(context: AuthorityContext, order: PendingRecording): Promise<Candidate | Rejection> {
  const { text, token } = await read(context, order);
  if ('reason' in token) return token;
  const { wid, jti } = token.claims;
  if (wid !== order.wid || jti !== order.jti || !isOf(order, token)) {
    return reject('ONCE_CORRUPT', `The order for task ${order.jti} holds another token.`);
  }
  const namesake = await context.ledger.find(wid, jti);
  const exists = namesake !== undefined && !isOf(namesake, token);
  const report = await examineForLedger(context, token, ledgerAncestry(context.ledger), exists, ENDLESS);
  const rejection = rejectionOf(report, { complete: true });
  return rejection ?? asCandidate(text, token, context.policy.graph, report.facts, soundProvenance(order));
}

/** What the order says of its caller. It is not proven again; what cannot be of this service is left out, and the entry says nothing. */
function soundProvenance({ provenance }: PendingRecording): Uint8Array | undefined {
  return provenance === undefined || readProvenance(provenance) === undefined ? undefined : provenance;
}

async function read(
  context: AuthorityContext,
  { token: text, orderedAt }: PendingRecording,
): Promise<{ readonly text: string; readonly token: VerifiedToken | Rejection }> {
  const now = context.now();
  const verdict = await readToken(readsOwn(context), text, {
    now,
    asOf: Math.min(now, orderedAt),
    purpose: 'recorded',
  });
  return { text, token: verdict.ok ? verdict.token : verdict.rejection };
}

/** The token was issued by this service, so the configured minimum level and drafts do not apply. */
function readsOwn(context: AuthorityContext): AuthorityContext {
  const token = {
    ...context.policy.token,
    minimumLevel: 'L2',
    minimumLevels: new Map(),
    drafts: ['00', '01'],
  } as const;
  return { ...context, policy: { ...context.policy, token } };
}
