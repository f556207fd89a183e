// An order that was left by another process, or by an earlier life of this one, is not believed: its token is verified once
// more, and its graph examined, since the ledger may have been restored meanwhile.

import { refusalOf } from '../dag/index.ts';
import { type Refusal, refuse } from '../errors.ts';
import type { Candidate } from '../ledger/index.ts';
import type { VerifiedToken } from '../token/index.ts';
import { ledgerAncestry } from './ancestry.ts';
import { isOf } from './evidence.ts';
import { examineForLedger } from './graph.ts';
import { asCandidate } from './leaf.ts';
import type { AuthorityParts } from './parts.ts';
import { readToken } from './read-token.ts';
import type { RecordingOrder } from './recording-orders.ts';

/** Nobody waits for it. */
const ENDLESS = { signal: new AbortController().signal };

/**
 * What an order comes to: the candidate, or why the ledger does not take it. The token may have expired since, and its key may have
 * been retired or revoked: it is judged as of the order.
 */
export async function rereadOrder(parts: AuthorityParts, order: RecordingOrder): Promise<Candidate | Refusal> {
  const { text, token } = await read(parts, order);
  if ('reason' in token) return token;
  const { wid, jti } = token.claims;
  if (wid !== order.wid || jti !== order.jti || !isOf(order, token)) {
    return refuse('ONCE_CORRUPT', `The order for task ${order.jti} holds another token.`);
  }
  const namesake = await parts.ledger.find(wid, jti);
  const exists = namesake !== undefined && !isOf(namesake, token);
  const report = await examineForLedger(parts, token, ledgerAncestry(parts.ledger), exists, ENDLESS);
  return refusalOf(report, { complete: true }) ?? asCandidate(text, token, parts.policy.graph, report.facts);
}

async function read(
  parts: AuthorityParts,
  { token: text, orderedAt }: RecordingOrder,
): Promise<{ readonly text: string; readonly token: VerifiedToken | Refusal }> {
  const now = parts.now();
  const verdict = await readToken(readsOwn(parts), text, {
    now,
    asOf: Math.min(now, orderedAt),
    reading: 'recorded',
  });
  return { text, token: verdict.ok ? verdict.token : verdict.refusal };
}

/** What was issued here is read again, whatever levels and drafts are accepted from others by now. */
function readsOwn(parts: AuthorityParts): AuthorityParts {
  const token = {
    ...parts.policy.token,
    minimumLevel: 'L2',
    minimumLevels: new Map(),
    drafts: ['00', '01'],
  } as const;
  return { ...parts, policy: { ...parts.policy, token } };
}
