// Finds where a process starts to read entries about keys. Most of them are about delegated keys that expired long ago, and are skipped.
// No snapshot is stored, which could be forged: the start position is found in the ledger itself.

import type { Ledger, LedgerRecord } from '../ledger/index.ts';

const DAY_MS = 86_400_000;
/**
 * The longest time from the announcement to the end of a delegated key: at most 168 hours active, announced for a day, and some minutes.
 */
const LONGEST_DELEGATED_MS = 9 * DAY_MS;

/** The first entry to read, or why nothing may be skipped. */
export type Start = { readonly index: number } | { readonly index: 0; readonly fault: string };

/**
 * The first entry that may be about a delegated key that still matters at `nowMs`; `retentionMs` is how long it does after its end. The
 * times in the columns of the store are not trusted, so the entry before the returned one must be proven, and its leaf must show that it
 * is older: the tree is in the order of time, and so are all earlier entries.
 */
export async function findStart(ledger: Ledger, retentionMs: number, nowMs: number): Promise<Start> {
  const sinceMs = nowMs - retentionMs - LONGEST_DELEGATED_MS;
  const [first] = await ledger.list({ fromMs: Math.max(0, sinceMs), startIndex: 0, limit: 1, withContent: false });
  const index = first?.index ?? ledger.size;
  if (index === 0) return { index };
  const before = await ledger.at(index - 1);
  if (before === undefined) return { index: 0, fault: `the ledger has no entry ${index - 1}` };
  await ledger.receiptsFor([before]);
  const { recorded_at: recordedAtMs } = membersOf(before.leaf);
  if (typeof recordedAtMs !== 'number' || recordedAtMs >= sinceMs) {
    return { index: 0, fault: `the time beside entry ${index - 1} is not that of its leaf` };
  }
  return { index };
}

/**
 * The records, in order, that may be about a key that still matters. The others are about delegated keys that have expired according to
 * their announcement, or changes of keys whose announcement was skipped (`isHeld`). Nothing is proven here, and nothing is trusted
 * because of it: a skipped key is only used after it was looked up, and then every entry about it is proven. One pass, because all but a
 * few are skipped.
 */
export function relevantAmong(
  records: readonly LedgerRecord[],
  retentionMs: number,
  nowMs: number,
  isHeld: (kid: string) => boolean,
): readonly LedgerRecord[] {
  const coming = new Set<unknown>();
  return records.filter(({ leaf }) => {
    const { kid, state, generation, certificate } = membersOf(leaf);
    const isKnown = coming.has(kid) || (typeof kid === 'string' && isHeld(kid));
    // An unreadable leaf is kept: the caller reads it completely and reports the fault.
    const isAnnouncement = state === 'announced' || typeof state !== 'string';
    const isOver = isAnnouncement ? hasEnded(certificate, nowMs - retentionMs) : !isKnown;
    if (generation === undefined && isOver && !isKnown) return false;
    coming.add(kid);
    return true;
  });
}

/** The end of a certificate, unverified. */
function hasEnded(certificate: unknown, byMs: number): boolean {
  if (typeof certificate !== 'string') return false;
  const { exp } = membersOf(Buffer.from(certificate.split('.', 2)[1] ?? '', 'base64url'));
  return typeof exp === 'number' && exp * 1000 <= byMs;
}

/** The members of a JSON object; none of anything else. */
function membersOf(json: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(json).toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
