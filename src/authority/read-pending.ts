// Verifies a pending recording of another process, or of an earlier run. It is not trusted: its token and its graph are verified again,
// because the ledger may have been restored in the meantime.

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

/** No caller waits, so the work has no deadline. */
const ENDLESS = { signal: new AbortController().signal };

/**
 * Verifies a pending recording: the candidate for the ledger, or the rejection. The token may have expired since, and its key may have
 * been retired or revoked: it is verified as of the time of the pending recording.
 */
export async function readPending(
  context: AuthorityContext,
  recording: PendingRecording,
): Promise<Candidate | Rejection> {
  const { text, token } = await read(context, recording);
  if ('reason' in token) return token;
  const { wid, jti } = token.claims;
  if (wid !== recording.wid || jti !== recording.jti || !isOf(recording, token)) {
    return reject('ONCE_CORRUPT', `The pending recording of task ${recording.jti} holds another token.`);
  }
  const namesake = await context.ledger.find(wid, jti);
  const exists = namesake !== undefined && !isOf(namesake, token);
  const report = await examineForLedger(context, token, ledgerAncestry(context.ledger), exists, ENDLESS);
  const rejection = rejectionOf(report, { complete: true });
  return rejection ?? asCandidate(text, token, context.policy.graph, report.facts, soundProvenance(recording));
}

/** The provenance of the recording, which cannot be authenticated again. One that this service cannot have written is left out. */
function soundProvenance({ provenance }: PendingRecording): Uint8Array | undefined {
  return provenance === undefined || readProvenance(provenance) === undefined ? undefined : provenance;
}

async function read(
  context: AuthorityContext,
  { token: text, requestedAt }: PendingRecording,
): Promise<{ readonly text: string; readonly token: VerifiedToken | Rejection }> {
  const now = context.now();
  const verdict = await readToken(readsOwn(context), text, {
    now,
    asOf: Math.min(now, requestedAt),
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
