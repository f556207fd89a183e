// A ledger that has many entries before anything is measured: root tasks, sealed by the service's own code into a tree that is real.
// Their tokens are of the usual size; nobody verifies them again, so their signatures are random.

import { hash, randomBytes } from 'node:crypto';
import { asCandidate } from '../src/authority/leaf.ts';
import { ROOT_FACTS } from '../src/dag/index.ts';
import { type Candidate, Ledger, type LedgerKey, type LedgerStore } from '../src/ledger/index.ts';
import type { Claims } from '../src/token/index.ts';
import { median } from './statistics.ts';
import { mintTokens, type TokenSigner } from './tokens.ts';

const SIGNATURE_BYTES = 64;
/** Entries of one commit. */
const ENTRIES_A_COMMIT = 2_000;
/** Commits whose median counts. */
const COMMITS = 12;
const POLICY = { predecessorPolicy: true, reviewActions: [] };

/** So many tasks, as AppendLedger hands them to the ledger. */
export function makeCandidates(jwk: TokenSigner['jwk'], count: number): Candidate[] {
  const signer = { jwk, sign: () => randomBytes(SIGNATURE_BYTES) };
  return mintTokens(signer, count).map((token) => {
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Claims;
    const digest = hash('sha256', token, 'buffer');
    return asCandidate(token, { claims, kid: jwk.kid, digest }, POLICY, ROOT_FACTS);
  });
}

/** Records tasks until the ledger in the store has `size` entries. */
export async function recordUpTo(
  size: number,
  store: LedgerStore,
  key: LedgerKey,
  jwk: TokenSigner['jwk'],
): Promise<void> {
  const ledger = await Ledger.open({ store, key, nowMs: Date.now, maxBatch: ENTRIES_A_COMMIT });
  while (ledger.size < size) {
    const candidates = makeCandidates(jwk, Math.min(ENTRIES_A_COMMIT, size - ledger.size));
    await Promise.all(candidates.map((candidate) => ledger.append(candidate)));
  }
}

/** How long commits of one size took, in milliseconds. The least is what a machine that is busy with other work disturbs least. */
export interface CommitTimes {
  readonly entries: number;
  readonly median: number;
  readonly least: number;
}

/** Times commits of each size. Nothing else may use the store. */
export async function timeCommits(
  sizes: readonly number[],
  store: LedgerStore,
  key: LedgerKey,
  jwk: TokenSigner['jwk'],
): Promise<readonly CommitTimes[]> {
  const ledger = await Ledger.open({ store, key, nowMs: Date.now });
  const found: CommitTimes[] = [];
  for (const size of sizes) {
    const times: number[] = [];
    for (let commit = 0; commit < COMMITS; commit++) {
      const candidates = makeCandidates(jwk, size);
      const startedAt = performance.now();
      await Promise.all(candidates.map((candidate) => ledger.append(candidate)));
      times.push(performance.now() - startedAt);
    }
    found.push({ entries: size, median: median(times), least: Math.min(...times) });
  }
  return found;
}
