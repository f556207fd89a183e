// How a token leaves before its entry: the order to record it is durable first.

import type { LedgerFacts } from '../dag/index.ts';
import { type Caller, callerName } from './caller.ts';
import { asCandidate, type RecordableToken } from './leaf.ts';
import type { AuthorityParts } from './parts.ts';
import { leavesNothing, takeRoom } from './write-room.ts';
import { entryBytes } from './write-sizes.ts';

/** Has the token recorded later on. What a caller orders costs it as much as what it appends. */
export async function orderEntry(
  parts: AuthorityParts,
  caller: Caller,
  text: string,
  token: RecordableToken,
  facts: LedgerFacts | undefined,
): Promise<void> {
  const { claims, digest } = token;
  const { wid, jti, iss } = claims;
  const order = { wid, jti, iss, digest, token: text, caller: callerName(caller), orderedAt: parts.now() };
  const candidate = asCandidate(text, token, parts.policy.graph, facts);
  const bytes = entryBytes(text.length, claims);
  const giveBack = takeRoom(parts, { caller, use: 'ledger', bytes });
  try {
    await parts.recordings.order(order, candidate, giveBack);
  } catch (error) {
    if (leavesNothing(error)) giveBack();
    throw error;
  }
}
